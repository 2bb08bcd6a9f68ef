/* What a server costs: processor time and memory of a process and all its descendants, read from /proc. */
#ifndef PROCESSES_H
#define PROCESSES_H
#include <stddef.h>

struct memory {
  double pss, rss; /* octets; pss shares out what several processes have in common */
  size_t processes;
};

/* Microseconds of processor time since the start, those of children that ended and were waited for included. */
double family_cpu(int root);
struct memory family_memory(int root);
/* The same of the whole machine, and of the calling process. */
double machine_cpu(void);
double own_cpu(void);

#endif
