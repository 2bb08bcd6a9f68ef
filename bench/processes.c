#include "processes.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct process {
  int pid, parent;
  double cpu; /* microseconds */
};

static double tick(void) { return 1e6 / (double)sysconf(_SC_CLK_TCK); }

/* Reads /proc/PID/stat; false when the process has just ended. */
static bool read_process(const char *pid, struct process *process) {
  char path[300], stat[1024];
  snprintf(path, sizeof path, "/proc/%s/stat", pid);
  FILE *file = fopen(path, "r");
  if (file == NULL) return false;
  bool read = fgets(stat, sizeof stat, file) != NULL;
  fclose(file);
  char *name_end = read ? strrchr(stat, ')') : NULL;
  unsigned long user, system;
  long reaped_user, reaped_system;
  if (name_end == NULL ||
      sscanf(name_end + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld", &process->parent, &user,
             &system, &reaped_user, &reaped_system) != 5)
    return false;
  process->pid = atoi(pid);
  process->cpu = tick() * ((double)user + (double)system + (double)reaped_user + (double)reaped_system);
  return true;
}

static bool belongs(const struct process *process, int root, const struct process *family, size_t count) {
  if (process->pid == root) return true;
  for (size_t i = 0; i < count; i++)
    if (process->parent == family[i].pid) return true;
  return false;
}

/* Lists `root` and its descendants; the list is good until the next call. */
static size_t family(int root, struct process **list) {
  static struct process *all;
  static size_t room;
  size_t count = 0, found = 0, before;
  DIR *directory = opendir("/proc");
  for (struct dirent *entry; directory && (entry = readdir(directory));) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    if (count == room && (all = realloc(all, (room = room * 2 + 256) * sizeof *all)) == NULL) abort();
    if (read_process(entry->d_name, &all[count])) count++;
  }
  if (directory) closedir(directory);
  do { /* gathers the family at the front, until a pass finds nobody */
    before = found;
    for (size_t i = found; i < count; i++) {
      if (!belongs(&all[i], root, all, found)) continue;
      struct process member = all[i];
      all[i] = all[found];
      all[found++] = member;
    }
  } while (found != before);
  *list = all;
  return found;
}

double family_cpu(int root) {
  struct process *list;
  size_t count = family(root, &list);
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += list[i].cpu;
  return sum;
}

struct memory family_memory(int root) {
  struct process *list;
  struct memory sum = {0, 0, family(root, &list)};
  for (size_t i = 0; i < sum.processes; i++) {
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", list[i].pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) continue;
    for (double kib; fgets(line, sizeof line, file);) {
      if (sscanf(line, "Pss: %lf", &kib) == 1) sum.pss += kib * 1024;
      if (sscanf(line, "Rss: %lf", &kib) == 1) sum.rss += kib * 1024;
    }
    fclose(file);
  }
  return sum;
}

double machine_cpu(void) {
  double user, nice, system, irq, softirq;
  FILE *file = fopen("/proc/stat", "r");
  if (file == NULL) return 0;
  int read = fscanf(file, "cpu %lf %lf %lf %*f %*f %lf %lf", &user, &nice, &system, &irq, &softirq);
  fclose(file);
  return read == 5 ? (user + nice + system + irq + softirq) * tick() : 0;
}

double own_cpu(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}
