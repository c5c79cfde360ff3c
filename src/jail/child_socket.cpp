// Messages with descriptors, between clone and pid 1's loop and in it.
#include "jail/child_socket.hpp"

#include <algorithm>

#include "jail/raw.hpp"

namespace cellblock::jail {

unsigned take_descriptors(msghdr& message, int* descriptors, size_t most) {
    unsigned taken = 0;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        taken = static_cast<unsigned>(std::min(count, most));
        std::memcpy(descriptors, CMSG_DATA(header), taken * sizeof(int));
    }
    return taken;
}

int await_go(int control_fd) {
    Request request;
    iovec data{&request, sizeof request};
    alignas(cmsghdr) char control[CMSG_SPACE(kMaxEntrances * sizeof(int))];
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    long n;
    do n = raw::call(SYS_recvmsg, control_fd, &message, MSG_CMSG_CLOEXEC);
    while (n == -EINTR);
    if (n == 0) raw::exit_process(0);
    if (n < 0) return static_cast<int>(n);
    if (n != static_cast<long>(sizeof request) || request.verb != Verb::go) return -EBADMSG;
    int entrances[kMaxEntrances];
    const unsigned count = take_descriptors(message, entrances, kMaxEntrances);
    int result = 0;
    for (unsigned i = 0; i < count; ++i) {
        if (result == 0) result = static_cast<int>(std::min(raw::write(entrances[i], "0", 1), 0L));
        // Whoever holds one could leave by it for where the descriptor's opener may go.
        raw::close(entrances[i]);
    }
    return result;
}

int send_note(int control_fd, const Note& note, const int* descriptors, size_t count) {
    if (count > kMaxMounts) return -E2BIG;
    iovec data{const_cast<Note*>(&note), sizeof note};
    alignas(cmsghdr) char control[CMSG_SPACE(kMaxMounts * sizeof(int))];
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    if (count > 0) {
        const size_t size = count * sizeof(int);
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(size);
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(size);
        std::memcpy(CMSG_DATA(header), descriptors, size);
    }
    long n;
    do n = raw::call(SYS_sendmsg, control_fd, &message, MSG_NOSIGNAL);
    while (n == -EINTR);
    return n < 0 ? static_cast<int>(n) : 0;
}

int send_descriptors(int control_fd, const int* descriptors, size_t count) {
    return count == 0 ? 0 : send_note(control_fd, Note{}, descriptors, count);
}

}  // namespace cellblock::jail
