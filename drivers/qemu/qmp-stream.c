/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QMP lines to messages. QEMU may be in the hands of its guest: a line is measured (bytes, depth, number of
 * values) before it is parsed, and a parsed one is checked for the types that the protocol promises.
 */
#include "drivers/qemu/qmp-stream.h"

#include <errno.h>
#include <string.h>

#define BUFFER_KEEP 4096 /* a buffer that took more than this is given back when it is empty */

void qmp_stream_init(struct qmp_stream *stream)
{
        *stream = (struct qmp_stream){ .buffer = g_byte_array_new() };
}

void qmp_stream_done(struct qmp_stream *stream)
{
        g_clear_pointer(&stream->buffer, g_byte_array_unref);
}

void qmp_stream_push(struct qmp_stream *stream, const void *bytes, size_t size)
{
        if (stream->start > 0) {
                g_byte_array_remove_range(stream->buffer, 0, (guint)stream->start);
                stream->searched -= stream->start;
                stream->start = 0;
        }
        g_byte_array_append(stream->buffer, bytes, (guint)size);
}

static const char *find_newline(struct qmp_stream *stream)
{
        const char *data = (const char *)stream->buffer->data;
        const char *newline = NULL;

        if (stream->searched < stream->buffer->len)
                newline = memchr(data + stream->searched, '\n', stream->buffer->len - stream->searched);
        stream->searched = newline ? (size_t)(newline - data) : stream->buffer->len;
        return newline;
}

bool qmp_stream_has_line(struct qmp_stream *stream)
{
        return find_newline(stream) != NULL;
}

struct measure {
        unsigned depth, depth_max;
        size_t values;
};

/* Counts what a parser would allocate for; text that is no JSON may give any count, and fails when it is
 * parsed. */
static struct measure measure_line(const char *line, size_t length)
{
        struct measure measure = { .values = 1 };
        bool quoted = false;

        for (size_t i = 0; i < length; i++) {
                char c = line[i];

                if (quoted) {
                        if (c == '\\')
                                i++;
                        else if (c == '"')
                                quoted = false;
                        continue;
                }
                switch (c) {
                case '"':
                        quoted = true;
                        break;
                case '{':
                case '[':
                        measure.depth++;
                        measure.depth_max = MAX(measure.depth, measure.depth_max);
                        measure.values++;
                        break;
                case '}':
                case ']':
                        if (measure.depth > 0)
                                measure.depth--;
                        break;
                case ',':
                case ':':
                        measure.values++;
                        break;
                }
        }
        return measure;
}

static bool read_id(const json_t *root, uint64_t *id)
{
        const json_t *value = json_object_get(root, "id");

        if (!value)
                return true;
        if (!json_is_integer(value) || json_integer_value(value) <= 0)
                return false;
        *id = (uint64_t)json_integer_value(value);
        return true;
}

static int64_t read_time(const json_t *root)
{
        const json_t *stamp = json_object_get(root, "timestamp");
        int64_t seconds = json_integer_value(json_object_get(stamp, "seconds"));
        int64_t microseconds = json_integer_value(json_object_get(stamp, "microseconds"));

        if (seconds < 0 || seconds > INT64_MAX / (2 * G_USEC_PER_SEC) || microseconds < 0 ||
            microseconds >= G_USEC_PER_SEC)
                return 0;
        return seconds * G_USEC_PER_SEC + microseconds;
}

/* NULL, or a phrase about what is wrong with message->root. */
static const char *classify(struct qmp_message *message)
{
        const json_t *root = message->root, *value;

        if (!json_is_object(root))
                return "a message that is no object";
        if ((value = json_object_get(root, "event"))) {
                message->kind = QMP_EVENT;
                message->name = json_string_value(value);
                message->body = json_object_get(root, "data");
                message->time_us = read_time(root);
                if (!message->name || (message->body && !json_is_object(message->body)))
                        return "an event of wrong types";
                return NULL;
        }
        if ((value = json_object_get(root, "QMP"))) {
                message->kind = QMP_GREETING;
                message->body = value;
                return json_is_object(value) ? NULL : "a greeting of wrong type";
        }
        if (!read_id(root, &message->id))
                return "a reply with an id of wrong type";
        if ((value = json_object_get(root, "return"))) {
                message->kind = QMP_RETURN;
                message->body = value;
                return NULL;
        }
        if ((value = json_object_get(root, "error"))) {
                message->kind = QMP_ERROR;
                message->body = value;
                return json_is_string(json_object_get(value, "desc")) ? NULL : "an error without description";
        }
        return "a message that is neither greeting, reply nor event";
}

/* Writes the parser's greatest integer over a number of digits that is beyond it, and within what QEMU's may
 * be. */
static void clamp_number(char *digits, size_t count)
{
        static const char greatest[] = "9223372036854775807";
        size_t length = strlen(greatest);
        char *end;

        if (count < length || count > length + 1)
                return;
        errno = 0;
        if (g_ascii_strtoull(digits, &end, 10) <= INT64_MAX || errno == ERANGE || end != digits + count)
                return;
        memcpy(digits, greatest, length);
        memset(digits + length, ' ', count - length);
}

/*
 * QEMU's integers go up to 2^64 - 1, twice as far as those of the parser: defaults and masks of that size are
 * in some replies. They become the greatest that there is.
 */
static char *clamp_integers(const char *line, size_t length)
{
        char *copy = g_strndup(line, length);
        bool quoted = false;

        for (size_t i = 0; i < length; i++) {
                size_t count = quoted ? 0 : strspn(copy + i, "0123456789");

                if (quoted && copy[i] == '\\') {
                        i++;
                } else if (copy[i] == '"') {
                        quoted = !quoted;
                } else if (count > 0) {
                        if (!memchr(".eE", copy[i + count], 3))
                                clamp_number(copy + i, count);
                        i += count - 1;
                }
        }
        return copy;
}

static json_t *parse_json(const char *line, size_t length, json_error_t *failure)
{
        json_t *root = json_loadb(line, length, 0, failure);
        g_autofree char *clamped = NULL;

        if (root || json_error_code(failure) != json_error_numeric_overflow)
                return root;
        clamped = clamp_integers(line, length);
        return json_loadb(clamped, length, 0, failure);
}

static char *parse_line(const char *line, size_t length, struct qmp_message *message)
{
        struct measure measure = measure_line(line, length);
        json_error_t failure;
        const char *wrong;

        if (measure.depth_max > QMP_DEPTH_MAX)
                return g_strdup_printf("JSON of more than %d levels", QMP_DEPTH_MAX);
        if (measure.values > QMP_VALUES_MAX)
                return g_strdup_printf("JSON of more than %d values", QMP_VALUES_MAX);
        *message = (struct qmp_message){ .cost = length + measure.values * QMP_VALUE_COST };
        message->root = parse_json(line, length, &failure);
        if (!message->root) {
                g_autofree char *text = g_utf8_make_valid(line, (gssize)MIN(length, 40));

                return g_strdup_printf("what is no JSON (%s): '%s'", failure.text, text);
        }
        wrong = classify(message);
        if (wrong) {
                qmp_message_clear(message);
                return g_strdup(wrong);
        }
        return NULL;
}

static bool is_blank(const char *line, size_t length)
{
        for (size_t i = 0; i < length; i++) {
                if (line[i] != ' ' && line[i] != '\r' && line[i] != '\t')
                        return false;
        }
        return true;
}

enum qmp_stream_result qmp_stream_next(struct qmp_stream *stream, size_t line_max,
                                       struct qmp_message *message, char **reason)
{
        const char *newline;

        while ((newline = find_newline(stream))) {
                const char *line = (const char *)stream->buffer->data + stream->start;
                size_t length = (size_t)(newline - line);

                if (length > line_max)
                        break;
                stream->start += length + 1;
                stream->searched = stream->start;
                if (is_blank(line, length))
                        continue;
                *reason = parse_line(line, length, message);
                return *reason ? QMP_STREAM_BROKEN : QMP_STREAM_MESSAGE;
        }
        if (newline || stream->buffer->len - stream->start > line_max) {
                *reason = g_strdup_printf("a line of more than %zu bytes", line_max);
                return QMP_STREAM_BROKEN;
        }
        if (stream->start == stream->buffer->len && stream->start > BUFFER_KEEP) {
                g_byte_array_unref(stream->buffer);
                stream->buffer = g_byte_array_new();
                stream->start = stream->searched = 0;
        }
        return QMP_STREAM_MORE;
}

void qmp_message_clear(struct qmp_message *message)
{
        json_decref(message->root);
        *message = (struct qmp_message){ 0 };
}
