/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The words of a command line as a script has it. What only a shell could do is refused by name; that it runs
 * in the background, and where its output goes, is left out. No state.
 */
#include "drivers/qemu/native-private.h"

#include "base/error.h"
#include "drivers/qemu/native-parse.h"

#include <string.h>

/* What a document can say in an attribute. */
static bool is_text(const char *argument)
{
        if (!g_utf8_validate(argument, -1, NULL))
                return false;
        for (; *argument; argument = g_utf8_next_char(argument)) {
                gunichar c = g_utf8_get_char(argument);

                if (g_unichar_iscntrl(c) || (c & 0xfffe) == 0xfffe)
                        return false;
        }
        return true;
}

static bool are_text(char *const *argv)
{
        while (*argv && is_text(*argv))
                argv++;
        return !*argv;
}

static bool is_expansion(const char *p)
{
        return *p == '`' || (*p == '$' && (g_ascii_isalnum(p[1]) || (p[1] && strchr("_({@*", p[1]))));
}

/* Somebody's home: at the beginning of a word, and of what is given behind "name=". */
static bool is_home(const char *p, char before)
{
        return *p == '~' && (g_ascii_isspace(before) || (before == '=' && p[1] == '/'));
}

/*
 * The first character that means something to a shell and nothing to us, outside of quotes; expansions, of
 * "$A" or
 * "`a`", inside of double ones, too. NULL: there is none.
 */
static const char *find_shell(const char *text)
{
        char quote = '\0', before = ' ';

        for (const char *p = text; *p; before = *p++) {
                if (*p == '\\' && quote != '\'' && p[1])
                        p++;
                else if (quote && *p == quote)
                        quote = '\0';
                else if (!quote && (*p == '\'' || *p == '"'))
                        quote = *p;
                else if (!quote && *p == '#' && g_ascii_isspace(before))
                        p += strcspn(p, "\n") - 1;
                else if (quote != '\'' && is_expansion(p))
                        return p;
                else if (!quote && (strchr("&;|<>", *p) || is_home(p, before)))
                        return p;
        }
        return NULL;
}

/* Whether from here on it is only said where output goes, and that nobody waits. */
static bool is_tail(const char *text)
{
        enum { TAIL_MAX = 4096 };
        static const char pattern[] = "^(?:&?[0-9]*[<>]{1,2}&?[ \t]*[^\\s&;|<>$`]+\\s*|[&;]\\s*)+$";

        return strlen(text) <= TAIL_MAX && g_regex_match_simple(pattern, text, 0, 0);
}

/* Up to where it is about the emulator; NULL: it is not about that alone. */
static char *cut_tail(const char *text, GError **error)
{
        const char *end = find_shell(text);
        g_autofree char *word = NULL, *quoted = NULL;

        if (!end)
                return g_strdup(text);
        /* "2>" */
        if (*end == '>' && end - text > 1 && g_ascii_isdigit(end[-1]) && g_ascii_isspace(end[-2]))
                end--;
        if (is_tail(end))
                return g_strndup(text, (gsize)(end - text));
        word = g_strndup(end, MAX(strcspn(end, " \t\n\"',"), 1));
        quoted = error_quote(word);
        error_set(error, ERROR_FROM_QEMU, ERROR_INVALID_ARG,
                  "'%s' in the command line is for a shell: what it stands for has to be in its place, and "
                  "quotes "
                  "around it where it stands for itself",
                  quoted);
        return NULL;
}

char **native_split_words(const char *text, GError **error)
{
        g_autofree char *line = NULL;
        char **argv = NULL;
        int argc = 0;

        if (strlen(text) > NATIVE_TEXT_MAX) {
                error_set(error, ERROR_FROM_QEMU, ERROR_INVALID_ARG, "a command line of more than %d bytes",
                          NATIVE_TEXT_MAX);
                return NULL;
        }
        line = cut_tail(text, error);
        if (!line)
                return NULL;
        if (!g_shell_parse_argv(line, &argc, &argv, NULL))
                error_set(error, ERROR_FROM_QEMU, ERROR_INVALID_ARG,
                          "no command line, or quotes that do not end");
        else if (argc > NATIVE_ARGUMENTS_MAX)
                error_set(error, ERROR_FROM_QEMU, ERROR_INVALID_ARG, "more than %d arguments",
                          NATIVE_ARGUMENTS_MAX);
        else if (!are_text(argv))
                error_set(error, ERROR_FROM_QEMU, ERROR_INVALID_ARG,
                          "a command line with control characters in an argument");
        else
                return argv;
        g_strfreev(argv);
        return NULL;
}
