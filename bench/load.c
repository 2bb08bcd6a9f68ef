/*
 * Load for a socketmap server, in one thread and a closed loop: every connection keeps DEPTH requests in flight and
 * sends the next one when a reply is in. Every reply is compared, byte for byte, with the one that is expected.
 *
 *   load -s ENDPOINT -k FILE [-c CONNECTIONS] [-p DEPTH] [-w SECONDS] [-t SECONDS] [-C] [-P PID]
 *   load -s ENDPOINT -k FILE -I CONNECTIONS -P PID
 *
 *   -s  /PATH of a unix socket, or ADDRESS:PORT
 *   -k  lines "KEY<TAB>REPLY", asked in this order, over and over
 *   -w  warm-up: its requests are checked but not measured;  -t  measured time
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
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "processes.h"

#define MAP "cyrus"
#define DEPTH_MAX 64
#define REQUEST_MAX 1024 /* octets, of a netstring */
#define REPLY_MAX 1024
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

struct question {
  char *request, *reply; /* whole netstrings */
  size_t request_length, reply_length;
};
static struct question *questions;
static size_t question_count, question_next;

static void read_questions(const char *path) {
  FILE *file = fopen(path, "r");
  if (file == NULL) fail("%s: %s", path, strerror(errno));
  char *line = NULL;
  size_t size = 0, room = 0;
  for (ssize_t length; (length = getline(&line, &size, file)) > 0;) {
    if (line[length - 1] == '\n') line[--length] = '\0';
    char *tab = strchr(line, '\t');
    if (tab == NULL) fail("%s: a line without TAB: %s", path, line);
    *tab = '\0';
    if (question_count == room) questions = allocate(questions, (room = room * 2 + 1024) * sizeof *questions);
    struct question *q = &questions[question_count++];
    int n = asprintf(&q->request, "%zu:" MAP " %s,", sizeof MAP + strlen(line), line);
    int m = asprintf(&q->reply, "%zu:%s,", strlen(tab + 1), tab + 1);
    if (n < 0 || m < 0) fail("out of memory");
    q->request_length = (size_t)n;
    q->reply_length = (size_t)m;
    if (n > REQUEST_MAX || m > REPLY_MAX) fail("%s: too long: %s", path, line);
  }
  if (question_count == 0) fail("%s: empty", path);
  free(line);
  fclose(file);
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
static unsigned long long answered, mismatches;
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
  for (; c->in_flight < (size_t)depth; c->in_flight++) {
    const struct question *q = &questions[question_next];
    size_t place = (c->oldest + c->in_flight) % (size_t)depth;
    c->flight[place].question = q;
    c->flight[place].asked = asked;
    memcpy(out + length, q->request, q->request_length);
    length += q->request_length;
    question_next = (question_next + 1) % question_count;
  }
  for (size_t sent = 0; sent < length;) {
    ssize_t n = send(c->fd, out + sent, length - sent, MSG_NOSIGNAL);
    if (n < 0) fail("send: %s", strerror(errno));
    sent += (size_t)n;
  }
}

static void connect_and_ask(struct connection *c) {
  double asked = now();
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  c->fd = dial();
  c->received_length = 0;
  if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event) < 0) fail("epoll_ctl: %s", strerror(errno));
  ask(c, asked);
}

static void check(struct connection *c, const char *reply, size_t length, double at) {
  const struct question *q = c->flight[c->oldest].question;
  if (length != q->reply_length || memcmp(reply, q->reply, length) != 0) {
    if (mismatches++ < 5)
      fprintf(stderr, "load: mismatch: %s -> %.*s instead of %s\n", q->request, (int)length, reply, q->reply);
  }
  answered++;
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
    connect_and_ask(c);
  } else if (!churn && c->in_flight < (size_t)depth) {
    ask(c, now());
  }
}

/* ---- the two kinds of run ---- */

static int ascending(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

static double quantile(double share) { return latencies[(size_t)((double)(latency_count - 1) * share)]; }

static void run_load(int count, double warmup, double measured, int pid) {
  struct connection *connections = calloc((size_t)count, sizeof *connections);
  if (connections == NULL) fail("out of memory");
  for (int i = 0; i < count; i++) connect_and_ask(&connections[i]);
  double start = now() + warmup, stop = start + measured, cpu = 0, own = 0, machine = 0, at;
  while ((at = now()) < stop) {
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
    if (ready == 0) fail("no reply for %d s, %llu were answered before", SILENCE_MS / 1000, answered);
    for (int i = 0; i < ready; i++) serve(events[i].data.ptr);
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
  for (int option; (option = getopt(argc, argv, "s:k:c:p:w:t:CI:P:")) != -1;) switch (option) {
      case 's': endpoint = optarg; break;
      case 'k': keys = optarg; break;
      case 'c': connections = atoi(optarg); break;
      case 'p': depth = atoi(optarg); break;
      case 'w': warmup = atof(optarg) * 1e6; break;
      case 't': measured = atof(optarg) * 1e6; break;
      case 'C': churn = true; break;
      case 'I': idle = atoi(optarg); break;
      case 'P': pid = atoi(optarg); break;
      default: fail("usage: see the head of load.c");
    }
  if (!endpoint || !keys || connections < 1 || depth < 1 || depth > DEPTH_MAX) fail("usage: see the head of load.c");
  if (churn || idle > 0) depth = 1;
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
