/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * In libFuzzer's place where there is only gcc: feeds the seeds and random changes of them, the same in every
 * run.
 *
 * usage: fuzz-X ROUNDS SEED-FILE...
 */

#include "tests/fuzz/fuzz.h"

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A few pieces of the input are overwritten, cut out, doubled, or replaced by what parsers stumble over. */
static void mutate(GRand *rand, GByteArray *input)
{
        static const char *const words[] = { "<",    ">",
                                             "\"",   "'",
                                             "&#0;", "]]>",
                                             "-1",   "99999999999999999999",
                                             "</a>", "{",
                                             "}",    "[",
                                             "]",    "\\ud800",
                                             "\n",   "0x",
                                             "",     "e999",
                                             "\xff", "/",
                                             "..",   "18446744073709551616" };

        for (int i = g_rand_int_range(rand, 1, 6); i > 0 && input->len > 1; i--) {
                unsigned start = g_rand_int_range(rand, 0, input->len);
                unsigned length = g_rand_int_range(rand, 1, MIN(64, input->len - start) + 1);
                const char *word = words[g_rand_int_range(rand, 0, G_N_ELEMENTS(words))];
                g_autofree guint8 *piece = g_memdup2(input->data + start, length);
                g_autofree guint8 *tail = NULL;
                unsigned tail_length = input->len - start;

                switch (g_rand_int_range(rand, 0, 4)) {
                case 0:
                        input->data[start] ^= 1u << g_rand_int_range(rand, 0, 8);
                        break;
                case 1:
                        g_byte_array_remove_range(input, start, length);
                        break;
                case 2:
                        g_byte_array_append(input, piece, length);
                        break;
                default:
                        tail = g_memdup2(input->data + start, tail_length);
                        g_byte_array_set_size(input, start);
                        g_byte_array_append(input, (const guint8 *)word, strlen(word));
                        g_byte_array_append(input, tail, tail_length);
                }
        }
}

int main(int argc, char **argv)
{
        unsigned rounds = argc > 1 ? atoi(argv[1]) : 0;
        g_autoptr(GRand) rand = g_rand_new_with_seed(20240501);
        unsigned count = 0;

        for (int i = 2; i < argc; i++) {
                g_autoptr(GError) error = NULL;
                g_autofree char *seed = NULL;
                size_t length;

                if (!g_file_get_contents(argv[i], &seed, &length, &error)) {
                        fprintf(stderr, "%s\n", error->message);
                        return EXIT_FAILURE;
                }
                LLVMFuzzerTestOneInput((const uint8_t *)seed, length);
                for (unsigned round = 0; round < rounds; round++, count++) {
                        g_autoptr(GByteArray) input = g_byte_array_new();

                        g_byte_array_append(input, (const guint8 *)seed, length);
                        mutate(rand, input);
                        LLVMFuzzerTestOneInput(input->data, input->len);
                }
        }
        printf("%u inputs\n", count);
        return EXIT_SUCCESS;
}
