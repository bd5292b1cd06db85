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
        bool oob;
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

/* May it be written, with begun commands in band before it that are not counted yet? */
static bool may_go(const struct qmp_output *output, const struct chunk *chunk, unsigned begun)
{
        return chunk->sent > 0 || chunk->oob ||
               (output->unanswered + begun < QMP_IN_BAND_MAX && (chunk->fd < 0 || !output->has_fd));
}

bool qmp_output_is_ready(const struct qmp_output *output)
{
        const struct chunk *first = output->chunks.head ? output->chunks.head->data : NULL;

        return first && may_go(output, first, 0);
}

static struct chunk *chunk_new(char *text, size_t length, int fd, bool oob)
{
        struct chunk *chunk = g_new0(struct chunk, 1);

        *chunk = (struct chunk){ .text = text, .length = length, .fd = fd, .oob = oob };
        return chunk;
}

void qmp_output_push(struct qmp_output *output, char *text, size_t length, int fd)
{
        g_queue_push_tail(&output->chunks, chunk_new(text, length, fd, false));
}

void qmp_output_push_oob(struct qmp_output *output, char *text, size_t length)
{
        GList *l = output->chunks.head;

        while (l && (((const struct chunk *)l->data)->sent > 0 || ((const struct chunk *)l->data)->oob))
                l = l->next;
        g_queue_insert_before(&output->chunks, l, chunk_new(text, length, -1, true));
}

void qmp_output_heed_answer(struct qmp_output *output, bool had_fd)
{
        if (output->unanswered > 0)
                output->unanswered--;
        if (had_fd)
                output->has_fd = false;
}

/* The chunks that may go, up to the next one with a descriptor, go in one write. */
static unsigned fill_vector(struct qmp_output *output, struct iovec *vector, unsigned count)
{
        unsigned n = 0, begun = 0;

        for (GList *l = output->chunks.head; l && n < count; l = l->next) {
                struct chunk *chunk = l->data;

                if ((n > 0 && chunk->fd >= 0) || !may_go(output, chunk, begun))
                        break;
                begun += chunk->sent == 0 && !chunk->oob;
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

                if (chunk->sent == 0 && !chunk->oob)
                        output->unanswered++;
                if (chunk->fd >= 0) {
                        output->has_fd = true;
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
        while (qmp_output_is_ready(output)) {
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
