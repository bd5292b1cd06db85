/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a QEMU sends on its monitor, in pieces of all sizes.
 */

#include "drivers/qemu/qmp-stream.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct qmp_stream stream;
        size_t piece = size > 0 ? data[0] + 1 : 1;
        enum qmp_stream_result result = QMP_STREAM_MORE;

        qmp_stream_init(&stream);
        for (size_t at = 0; at < size && result != QMP_STREAM_BROKEN; at += piece) {
                qmp_stream_push(&stream, data + at, MIN(piece, size - at));
                do {
                        struct qmp_message message = { 0 };
                        g_autofree char *reason = NULL;

                        result = qmp_stream_next(&stream, QMP_LINE_MAX, &message, &reason);
                        if (result == QMP_STREAM_MESSAGE)
                                qmp_message_clear(&message);
                } while (result == QMP_STREAM_MESSAGE);
        }
        qmp_stream_done(&stream);
        return 0;
}
