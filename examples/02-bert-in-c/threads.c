/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Threads that take the indices of a job one by one. */

#include "threads.h"

#include <pthread.h>
#include <stdlib.h>

struct threads {
  pthread_mutex_t lock;
  pthread_cond_t begin, end;
  job run;
  void *argument;
  size_t count, next, finished; /* of the indices of the job */
  bool stop;
  size_t worker_count;
  pthread_t workers[];
};

/* Runs indices until none is left. Holds the lock except while a job runs. */
static void take_indices(threads *pool) {
  while (pool->next < pool->count) {
    size_t index = pool->next++;
    pthread_mutex_unlock(&pool->lock);
    pool->run(pool->argument, index);
    pthread_mutex_lock(&pool->lock);
    if (++pool->finished == pool->count)
      pthread_cond_signal(&pool->end);
  }
}

static void *work(void *argument) {
  threads *pool = argument;
  pthread_mutex_lock(&pool->lock);
  while (!pool->stop) {
    take_indices(pool);
    if (!pool->stop)
      pthread_cond_wait(&pool->begin, &pool->lock);
  }
  pthread_mutex_unlock(&pool->lock);
  return NULL;
}

threads *threads_create(size_t count) {
  size_t workers = count > 1 ? count - 1 : 0;
  threads *pool = calloc(1, sizeof *pool + workers * sizeof(pthread_t));
  if (!pool)
    return NULL;
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->begin, NULL);
  pthread_cond_init(&pool->end, NULL);
  for (; pool->worker_count < workers; ++pool->worker_count) {
    pthread_t *worker = &pool->workers[pool->worker_count];
    if (pthread_create(worker, NULL, work, pool) != 0) {
      threads_destroy(pool);
      return NULL;
    }
  }
  return pool;
}

void threads_destroy(threads *pool) {
  pthread_mutex_lock(&pool->lock);
  pool->stop = true;
  pthread_cond_broadcast(&pool->begin);
  pthread_mutex_unlock(&pool->lock);
  for (size_t i = 0; i < pool->worker_count; ++i)
    pthread_join(pool->workers[i], NULL);
  pthread_cond_destroy(&pool->end);
  pthread_cond_destroy(&pool->begin);
  pthread_mutex_destroy(&pool->lock);
  free(pool);
}

void threads_run(threads *pool, size_t count, job run, void *argument) {
  pthread_mutex_lock(&pool->lock);
  pool->run = run;
  pool->argument = argument;
  pool->next = 0;
  pool->finished = 0;
  pool->count = count;
  pthread_cond_broadcast(&pool->begin);
  take_indices(pool);
  while (pool->finished < pool->count)
    pthread_cond_wait(&pool->end, &pool->lock);
  pthread_mutex_unlock(&pool->lock);
}
