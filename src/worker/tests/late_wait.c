// Widens a gap that is otherwise some microseconds: between Python's last look for signals and the wait of the main thread in
// epoll_wait(2). A signal in it does not end the wait. For LD_PRELOAD.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

int epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout) {
    int (*next)(int, struct epoll_event *, int, int) = dlsym(RTLD_NEXT, "epoll_wait");
    struct timespec left = {0, 3000000};
    if (timeout != 0 && getpid() == gettid())
        while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
            ;
    return next(epfd, events, maxevents, timeout);
}
