/* Preloaded into a process: writes every name that it looks up and every address that it connects or sends to.
   A datagram socket that is connected has sent nothing yet: it is noted when it sends. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static void note(const char *what, const char *whom) {
    const char *path = getenv("CONNECTIONS_FILE");
    FILE *file = path ? fopen(path, "a") : NULL;
    if (file) {
        fprintf(file, "%s %s\n", what, whom);
        fclose(file);
    }
}

static void note_address(const char *what, const struct sockaddr *address) {
    char text[INET6_ADDRSTRLEN] = "";
    if (address && address->sa_family == AF_INET)
        inet_ntop(AF_INET, &((struct sockaddr_in *)address)->sin_addr, text, sizeof text);
    else if (address && address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)address)->sin6_addr, text, sizeof text);
    else
        return;
    note(what, text);
}

static int is_datagram(int socket) {
    int kind = 0;
    socklen_t length = sizeof kind;
    return getsockopt(socket, SOL_SOCKET, SO_TYPE, &kind, &length) == 0 && kind == SOCK_DGRAM;
}

static void note_peer(int socket) {
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    if (is_datagram(socket) && getpeername(socket, (struct sockaddr *)&peer, &length) == 0)
        note_address("send", (struct sockaddr *)&peer);
}

int connect(int socket, const struct sockaddr *address, socklen_t length) {
    int (*real)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
    if (!is_datagram(socket))
        note_address("connect", address);
    return real(socket, address, length);
}

ssize_t send(int socket, const void *data, size_t size, int flags) {
    ssize_t (*real)(int, const void *, size_t, int) = dlsym(RTLD_NEXT, "send");
    note_peer(socket);
    return real(socket, data, size, flags);
}

ssize_t sendmsg(int socket, const struct msghdr *message, int flags) {
    ssize_t (*real)(int, const struct msghdr *, int) = dlsym(RTLD_NEXT, "sendmsg");
    if (message && message->msg_name)
        note_address("send", message->msg_name);
    else
        note_peer(socket);
    return real(socket, message, flags);
}

ssize_t sendto(int socket, const void *data, size_t size, int flags, const struct sockaddr *address,
               socklen_t length) {
    ssize_t (*real)(int, const void *, size_t, int, const struct sockaddr *, socklen_t) =
        dlsym(RTLD_NEXT, "sendto");
    if (address)
        note_address("send", address);
    else
        note_peer(socket);
    return real(socket, data, size, flags, address, length);
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **result) {
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        dlsym(RTLD_NEXT, "getaddrinfo");
    if (name)
        note("name", name);
    return real(name, service, hints, result);
}
