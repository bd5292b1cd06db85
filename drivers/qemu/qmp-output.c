/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sending side of QMP. No state but the struct's.
 */
#include "drivers/qemu/qmp-output.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* A piece of output; a descriptor goes along with its first byte. */
struct chunk {
        char *text; /* owned */
        size_t length, sent;
        int fd; /* owned; -1 none */
};

static void chunk_free(struct chunk *chunk)
{
        if (chunk->fd >= 0)
                close(chunk->fd);
        g_free(chunk->text);
        g_free(chunk);
}

void qmp_output_done(struct qmp_output *output)
{
        struct chunk *chunk;

        while ((chunk = g_queue_pop_head(&output->chunks)))
                chunk_free(chunk);
}

bool qmp_output_is_empty(const struct qmp_output *output)
{
        return output->chunks.length == 0;
}

void qmp_output_push(struct qmp_output *output, char *text, size_t length, int fd)
{
        struct chunk *chunk = g_new0(struct chunk, 1);

        chunk->text = text;
        chunk->length = length;
        chunk->fd = fd;
        g_queue_push_tail(&output->chunks, chunk);
}

/* The chunks up to the next one with a descriptor go in one write. */
static unsigned fill_vector(struct qmp_output *output, struct iovec *vector, unsigned count)
{
        unsigned n = 0;

        for (GList *l = output->chunks.head; l && n < count; l = l->next) {
                struct chunk *chunk = l->data;

                if (n > 0 && chunk->fd >= 0)
                        break;
                vector[n].iov_base = chunk->text + chunk->sent;
                vector[n].iov_len = chunk->length - chunk->sent;
                n++;
        }
        return n;
}

static ssize_t send_chunks(struct qmp_output *output, int socket_fd)
{
        struct chunk *first = g_queue_peek_head(&output->chunks);
        struct iovec vector[16];
        union {
                char space[CMSG_SPACE(sizeof(int))];
                struct cmsghdr align;
        } control;
        struct msghdr header = { .msg_iov = vector,
                                 .msg_iovlen = fill_vector(output, vector, G_N_ELEMENTS(vector)) };

        if (first->fd >= 0) {
                struct cmsghdr *cmsg;

                header.msg_control = &control;
                header.msg_controllen = sizeof(control.space);
                cmsg = CMSG_FIRSTHDR(&header);
                cmsg->cmsg_level = SOL_SOCKET;
                cmsg->cmsg_type = SCM_RIGHTS;
                cmsg->cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(cmsg), &first->fd, sizeof(int));
        }
        return sendmsg(socket_fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void drop_sent(struct qmp_output *output, size_t size)
{
        while (size > 0) {
                struct chunk *chunk = g_queue_peek_head(&output->chunks);
                size_t part = MIN(size, chunk->length - chunk->sent);

                if (chunk->fd >= 0) {
                        close(chunk->fd);
                        chunk->fd = -1;
                }
                chunk->sent += part;
                size -= part;
                if (chunk->sent < chunk->length)
                        return;
                chunk_free(g_queue_pop_head(&output->chunks));
        }
}

void qmp_output_flush(struct qmp_output *output, int socket_fd)
{
        while (!qmp_output_is_empty(output)) {
                ssize_t size = send_chunks(output, socket_fd);

                if (size < 0 && errno == EAGAIN)
                        return;
                if (size < 0 && errno == EINTR)
                        continue;
                if (size < 0) {
                        qmp_output_done(output);
                        return;
                }
                drop_sent(output, (size_t)size);
        }
}
