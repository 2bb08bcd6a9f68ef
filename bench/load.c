/*
 * Load for a socketmap server, in one thread and a closed loop: every connection keeps DEPTH requests in flight and
 * sends the next one when a reply is in. Every reply is compared, byte for byte, with those that are expected.
 *
 *   load -s ENDPOINT -k FILE [-f LINE] [-u] [-c CONNECTIONS] [-p DEPTH] [-R RATE] [-w SECONDS] [-t SECONDS | -n COUNT]
 *        [-C] [-P PID]
 *   load -s ENDPOINT -k FILE -I CONNECTIONS -P PID
 *
 *   -s  /PATH of a unix socket, or ADDRESS:PORT
 *   -k  lines "KEY<TAB>REPLY[<TAB>REPLY...]", asked in this order, over and over; any of the replies is right
 *   -f  begins with this line of the file, counted from 0
 *   -u  "#" in a KEY stands for a number of ten digits, another one in every request
 *   -R  open loop, one request in flight on each connection: RATE requests a second fall due, whatever the server does,
 *       and each one's time counts from then, so that a server that stands still cannot hide its queue
 *   -w  warm-up: its requests are checked but not measured;  -t  measured time, cut short by SIGTERM
 *   -n  measures until so many requests are answered, without a warm-up
 *   -C  churn: every connection asks one question and is closed; its time counts from connect()
 *   -I  no load: what CONNECTIONS idle ones (one request each, then silence) add to the server's memory
 *   -P  the server's process; processor time and memory are those of it and all its descendants
 *
 * One JSON line comes out: times in microseconds, memory in octets, processor shares in processors. Exit status 0 also
 * with mismatches (they are counted, and the first ones shown on standard error); 2 when the run could not be done, which
 * includes a connection that the server closes and a server that falls silent.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "processes.h"

#define MAP "cyrus "
#define DEPTH_MAX 64
#define REQUEST_MAX 1024 /* octets, of a netstring */
#define REPLY_MAX 1024
#define REPLIES_MAX 3 /* that are right, of one question */
#define DIGITS 10 /* of a number that is never asked for twice */
#define RECEIVE_MAX (DEPTH_MAX * REPLY_MAX)
#define WARM_REQUESTS 20000 /* asked before memory is looked at: what a server allocates once does not count */
#define SILENCE_MS 20000 /* no reply at all for so long: give up */

static void fail(const char *format, ...) {
  va_list values;
  va_start(values, format);
  fputs("load: ", stderr);
  vfprintf(stderr, format, values);
  fputc('\n', stderr);
  exit(2);
}

static void *allocate(void *old, size_t size) {
  void *memory = realloc(old, size);
  if (memory == NULL) fail("out of memory");
  return memory;
}

static double now(void) { /* microseconds */
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* ---- questions ---- */

struct text { /* a whole netstring */
  char *octets;
  size_t length;
};
struct question {
  struct text request, replies[REPLIES_MAX];
  size_t reply_count, number; /* where in the request a number goes; 0: nowhere */
};
static struct question *questions;
static size_t question_count, question_next, first_question;
static bool numbered;

static struct text netstring(const char *map, const char *text) {
  struct text result;
  int length = asprintf(&result.octets, "%zu:%s%s,", strlen(map) + strlen(text), map, text);
  if (length < 0) fail("out of memory");
  result.length = (size_t)length;
  return result;
}

/* Puts DIGITS of them where the key has a "#". */
static const char *make_room(const char *key) {
  static char wide[REQUEST_MAX];
  const char *place = strchr(key, '#');
  if (place == NULL || strlen(key) + DIGITS > sizeof wide) fail("-u: no # for a number, or too long: %s", key);
  snprintf(wide, sizeof wide, "%.*s%0*d%s", (int)(place - key), key, DIGITS, 0, place + 1);
  return wide;
}

static void read_questions(const char *path) {
  FILE *file = fopen(path, "r");
  if (file == NULL) fail("%s: %s", path, strerror(errno));
  char *line = NULL;
  size_t size = 0, room = 0;
  for (ssize_t length; (length = getline(&line, &size, file)) > 0;) {
    if (line[length - 1] == '\n') line[--length] = '\0';
    if (question_count == room) questions = allocate(questions, (room = room * 2 + 1024) * sizeof *questions);
    struct question *q = &questions[question_count++];
    char *rest = line, *key = strsep(&rest, "\t");
    size_t hash = strcspn(key, "#");
    q->request = netstring(MAP, numbered ? make_room(key) : key);
    q->number = numbered ? (size_t)(strchr(q->request.octets, ' ') - q->request.octets) + 1 + hash : 0;
    q->reply_count = 0;
    for (char *reply; (reply = strsep(&rest, "\t")) != NULL;) {
      if (q->reply_count == REPLIES_MAX) fail("%s: too many replies: %s", path, key);
      struct text expected = q->replies[q->reply_count++] = netstring("", reply);
      if (expected.length > REPLY_MAX) fail("%s: too long: %s", path, reply);
    }
    if (q->reply_count == 0) fail("%s: a line without TAB: %s", path, key);
    if (q->request.length > REQUEST_MAX) fail("%s: too long: %s", path, key);
  }
  if (question_count == 0) fail("%s: empty", path);
  question_next = first_question % question_count;
  free(line);
  fclose(file);
}

/* Writes the next request; gives its question. */
static const struct question *next_question(char *out) {
  static unsigned long long number;
  const struct question *q = &questions[question_next];
  question_next = (question_next + 1) % question_count;
  memcpy(out, q->request.octets, q->request.length);
  if (q->number > 0) {
    unsigned long long rest = number++;
    for (size_t digit = DIGITS; digit-- > 0; rest /= 10) out[q->number + digit] = (char)('0' + rest % 10);
  }
  return q;
}

/* ---- connections ---- */

struct connection {
  int fd;
  struct {
    const struct question *question;
    double asked;
  } flight[DEPTH_MAX]; /* a ring */
  size_t oldest, in_flight;
  char received[RECEIVE_MAX];
  size_t received_length;
};

static struct sockaddr_storage server;
static socklen_t server_length;
static int poller, depth = 1;
static bool churn, measuring;
static double rate; /* requests a second that fall due; 0: a closed loop */
static unsigned long long asked_total, answered, mismatches;
static unsigned long long wanted; /* answers; 0: as many as there are in time */
static double last_answer;
static volatile sig_atomic_t enough;
static float *latencies;
static size_t latency_count, latency_room;

static void resolve(const char *endpoint) {
  const char *colon = strrchr(endpoint, ':');
  if (endpoint[0] == '/') {
    struct sockaddr_un *address = (struct sockaddr_un *)&server;
    if (strlen(endpoint) >= sizeof address->sun_path) fail("%s: too long for a socket", endpoint);
    address->sun_family = AF_UNIX;
    strcpy(address->sun_path, endpoint);
    server_length = sizeof *address;
    return;
  }
  if (colon == NULL) fail("%s: neither /PATH nor ADDRESS:PORT", endpoint);
  char *host = strndup(endpoint, (size_t)(colon - endpoint));
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV}, *found;
  int error = getaddrinfo(host, colon + 1, &hints, &found);
  if (error) fail("%s: %s", endpoint, gai_strerror(error));
  memcpy(&server, found->ai_addr, found->ai_addrlen);
  server_length = found->ai_addrlen;
  freeaddrinfo(found);
  free(host);
}

static int dial(void) {
  int one = 1, fd = socket(server.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket: %s", strerror(errno));
  if (server.ss_family != AF_UNIX) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct timeval silence = {.tv_sec = SILENCE_MS / 1000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence);
  if (connect(fd, (struct sockaddr *)&server, server_length) < 0) fail("connect: %s", strerror(errno));
  return fd;
}

/* Sends as many questions as may be in flight. DEPTH_MAX of them fit a socket's buffer, so it does not block. */
static void ask(struct connection *c, double asked) {
  char out[DEPTH_MAX * REQUEST_MAX];
  size_t length = 0;
  for (; c->in_flight < (size_t)depth && (wanted == 0 || asked_total < wanted); c->in_flight++, asked_total++) {
    const struct question *q = next_question(out + length);
    size_t place = (c->oldest + c->in_flight) % (size_t)depth;
    c->flight[place].question = q;
    c->flight[place].asked = asked;
    length += q->request.length;
  }
  for (size_t sent = 0; sent < length;) {
    ssize_t n = send(c->fd, out + sent, length - sent, MSG_NOSIGNAL);
    if (n < 0) fail("send: %s", strerror(errno));
    sent += (size_t)n;
  }
}

/* Connects, and asks unless that falls due later. */
static void begin(struct connection *c) {
  double asked = now();
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  c->fd = dial();
  c->received_length = 0;
  if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event) < 0) fail("epoll_ctl: %s", strerror(errno));
  if (rate == 0) ask(c, asked);
}

static bool is_expected(const struct question *q, const char *reply, size_t length) {
  for (size_t i = 0; i < q->reply_count; i++)
    if (length == q->replies[i].length && memcmp(reply, q->replies[i].octets, length) == 0) return true;
  return false;
}

static void check(struct connection *c, const char *reply, size_t length, double at) {
  const struct question *q = c->flight[c->oldest].question;
  if (!is_expected(q, reply, length) && mismatches++ < 5)
    fprintf(stderr, "load: mismatch: %s -> %.*s instead of %s\n", q->request.octets, (int)length, reply,
            q->replies[0].octets);
  answered++;
  last_answer = at;
  if (measuring) {
    if (latency_count == latency_room)
      latencies = allocate(latencies, (latency_room = latency_room * 2 + 65536) * sizeof *latencies);
    latencies[latency_count++] = (float)(at - c->flight[c->oldest].asked);
  }
  c->oldest = (c->oldest + 1) % (size_t)depth;
  c->in_flight--;
}

/* Takes what has arrived. */
static void receive(struct connection *c) {
  ssize_t n = recv(c->fd, c->received + c->received_length, RECEIVE_MAX - c->received_length, MSG_DONTWAIT);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) fail("the server closed a connection after %llu replies", answered);
  double at = now();
  size_t end = c->received_length + (size_t)n, start = 0;
  while (start < end) {
    size_t colon = start, payload = 0;
    while (colon < end && c->received[colon] >= '0' && c->received[colon] <= '9')
      payload = payload * 10 + (size_t)(c->received[colon++] - '0');
    if (colon == end) break;
    if (colon == start || c->received[colon] != ':' || payload > REPLY_MAX)
      fail("no netstring: %.*s", (int)(end - start), c->received + start);
    size_t comma = colon + 1 + payload;
    if (comma >= end) break;
    if (c->in_flight == 0) fail("a reply without a request");
    check(c, c->received + start, comma + 1 - start, at);
    start = comma + 1;
  }
  memmove(c->received, c->received + start, end - start);
  c->received_length = end - start;
}

static void serve(struct connection *c) {
  receive(c);
  if (churn && c->in_flight == 0) {
    close(c->fd);
    begin(c);
  } else if (!churn && rate == 0 && c->in_flight < (size_t)depth) {
    ask(c, now());
  }
}

/* ---- the open loop ---- */

static int make_clock(void) {
  double period = 1e9 / rate;
  struct timespec interval = {.tv_sec = (time_t)(period / 1e9), .tv_nsec = (long)period % 1000000000};
  struct itimerspec setting = {.it_interval = interval, .it_value = interval};
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (fd < 0 || timerfd_settime(fd, 0, &setting, NULL) < 0) fail("timerfd: %s", strerror(errno));
  if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl: %s", strerror(errno));
  return fd;
}

/* Asks what has fallen due, as far as there are connections free. */
static void ask_due(struct connection *connections, int count, double start) {
  static int turn;
  double at = now();
  for (int tried = 0; tried < count; tried++) {
    double due = start + (double)asked_total * 1e6 / rate;
    if (due > at) return;
    struct connection *c = &connections[turn];
    turn = (turn + 1) % count;
    if (c->in_flight > 0) continue;
    ask(c, due);
    tried = -1;
  }
}

/* ---- the two kinds of run ---- */

static int ascending(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

static double quantile(double share) { return latencies[(size_t)((double)(latency_count - 1) * share)]; }

static void stop_measuring(int signal) { enough = signal; }

static bool is_over(double at, double stop) {
  if (wanted > 0) return answered >= wanted;
  return at >= stop || enough != 0;
}

/* An open loop owes an answer to all that it has asked: those that are late count most. */
static bool is_done(double at, double stop) { return is_over(at, stop) && (rate == 0 || asked_total == answered); }

static void run_load(int count, double warmup, double measured, int pid) {
  struct connection *connections = calloc((size_t)count, sizeof *connections);
  if (connections == NULL) fail("out of memory");
  int clock = rate > 0 ? make_clock() : -1;
  double begun = last_answer = now(), start = begun + warmup, stop = start + measured, cpu = 0, own = 0, machine = 0, at;
  for (int i = 0; i < count; i++) begin(&connections[i]);
  while (!is_done(at = now(), stop)) {
    if (!measuring && at >= start) {
      machine = machine_cpu();
      cpu = family_cpu(pid);
      own = own_cpu();
      measuring = true;
      start = now();
      stop = start + measured;
    }
    struct epoll_event events[256];
    int ready = epoll_wait(poller, events, 256, SILENCE_MS);
    if (ready < 0 && errno != EINTR) fail("epoll_wait: %s", strerror(errno));
    if (ready == 0 || (asked_total > answered && now() - last_answer > SILENCE_MS * 1e3))
      fail("no reply for %d s, %llu were answered before", SILENCE_MS / 1000, answered);
    for (int i = 0; i < ready; i++) {
      unsigned long long ticks;
      if (events[i].data.ptr != NULL) serve(events[i].data.ptr);
      else if (read(clock, &ticks, sizeof ticks) < 0 && errno != EAGAIN) fail("timerfd: %s", strerror(errno));
    }
    if (rate > 0 && !is_over(now(), stop)) ask_due(connections, count, begun);
  }
  double elapsed = at - start;
  machine = machine_cpu() - machine;
  cpu = family_cpu(pid) - cpu;
  own = own_cpu() - own;
  struct memory memory = family_memory(pid);
  if (latency_count == 0) fail("nothing was answered in the measured time");
  double requests = (double)latency_count;
  qsort(latencies, latency_count, sizeof *latencies, ascending);
  printf("{\"requests\":%zu,\"perSecond\":%.1f,\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"mismatches\":%llu,"
         "\"cpuPerRequest\":%.3f,\"serverCpu\":%.3f,\"generatorCpu\":%.3f,\"otherCpu\":%.3f,"
         "\"processes\":%zu,\"pss\":%.0f,\"rss\":%.0f}\n",
         latency_count, requests * 1e6 / elapsed, quantile(0.5), quantile(0.99), quantile(0.999), mismatches,
         cpu / requests, cpu / elapsed, own / elapsed, (machine - cpu - own) / elapsed, memory.processes, memory.pss,
         memory.rss);
}

static void ask_and_wait(struct connection *c) {
  ask(c, now());
  while (c->in_flight > 0) {
    char first;
    if (recv(c->fd, &first, 1, MSG_PEEK) < 0) fail("no reply: %s", strerror(errno));
    receive(c);
  }
}

/* Every connection asks one question, so that the server has accepted it and has what it keeps for it. */
static void run_idle(int count, int pid) {
  struct connection c = {0};
  c.fd = dial();
  for (int i = 0; i < WARM_REQUESTS; i++) ask_and_wait(&c);
  struct memory before = family_memory(pid);
  for (int i = 0; i < count; i++) {
    c.fd = dial(); /* those before stay open until the end of the process */
    ask_and_wait(&c);
  }
  struct memory after = family_memory(pid);
  printf("{\"connections\":%d,\"mismatches\":%llu,\"pssPerConnection\":%.0f,\"rssPerConnection\":%.0f,"
         "\"processes\":%zu}\n",
         count, mismatches, (after.pss - before.pss) / count, (after.rss - before.rss) / count, after.processes);
}

int main(int argc, char **argv) {
  const char *endpoint = NULL, *keys = NULL;
  int connections = 1, idle = 0, pid = 0;
  double warmup = 0, measured = 2;
  for (int option; (option = getopt(argc, argv, "s:k:f:uc:p:R:w:t:n:CI:P:")) != -1;) switch (option) {
      case 's': endpoint = optarg; break;
      case 'k': keys = optarg; break;
      case 'f': first_question = strtoul(optarg, NULL, 10); break;
      case 'u': numbered = true; break;
      case 'c': connections = atoi(optarg); break;
      case 'p': depth = atoi(optarg); break;
      case 'R': rate = atof(optarg); break;
      case 'w': warmup = atof(optarg) * 1e6; break;
      case 't': measured = atof(optarg) * 1e6; break;
      case 'n': wanted = strtoull(optarg, NULL, 10); break;
      case 'C': churn = true; break;
      case 'I': idle = atoi(optarg); break;
      case 'P': pid = atoi(optarg); break;
      default: fail("usage: see the head of load.c");
    }
  if (!endpoint || !keys || connections < 1 || depth < 1 || depth > DEPTH_MAX) fail("usage: see the head of load.c");
  if (churn || idle > 0 || rate > 0) depth = 1;
  if (wanted > 0) warmup = 0;
  struct sigaction term = {.sa_handler = stop_measuring};
  sigaction(SIGTERM, &term, NULL);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  resolve(endpoint);
  read_questions(keys);
  if ((poller = epoll_create1(EPOLL_CLOEXEC)) < 0) fail("epoll_create1: %s", strerror(errno));
  if (idle > 0) run_idle(idle, pid);
  else run_load(connections, warmup, measured, pid);
  return 0;
}
