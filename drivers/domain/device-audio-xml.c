/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * <audio>: where the sound of a guest goes on its host. No state; any thread.
 */
#include "drivers/domain/definition-xml.h"

#define NAME_MAX_BYTES 255

static const char *const audio_names[] = { "none", "alsa",  "coreaudio", "jack", "oss",      "pulseaudio",
                                           "sdl",  "spice", "file",      "dbus", "pipewire", NULL };
static const char *const format_names[] = { "s8", "u8", "s16", "u16", "s32", "u32", "f32", NULL };
static const char *const sdl_names[] = { "esd", "alsa", "arts", "pulseaudio", NULL };

static const struct field audio_fields[] = {
        UINT("id", struct domain_audio, id, .required = true, .min = 1),
        NAME("type", struct domain_audio, type, audio_names, .required = true),
        STRING("serverName", struct domain_audio, server, .max = NAME_MAX_BYTES),
        PATH("path", struct domain_audio, path),
        PATH("runtimeDir", struct domain_audio, path),
        NAME("driver", struct domain_audio, driver, sdl_names),
        UINT("timerPeriod", struct domain_audio, timer_period),
        INT("dspPolicy", struct domain_audio, dsp_policy),
        YES_NO("tryMMap", struct domain_audio, try_mmap),
        YES_NO("exclusive", struct domain_audio, exclusive),
        FIELDS_END,
};
static const struct field stream_fields[] = {
        YES_NO("mixingEngine", struct domain_audio_stream, mixing_engine),
        YES_NO("fixedSettings", struct domain_audio_stream, fixed_settings),
        YES_NO("tryPoll", struct domain_audio_stream, try_poll),
        YES_NO("exactName", struct domain_audio_stream, exact_name),
        UINT("voices", struct domain_audio_stream, voices),
        UINT("bufferLength", struct domain_audio_stream, buffer_length_us),
        UINT("bufferCount", struct domain_audio_stream, buffer_count),
        UINT("latency", struct domain_audio_stream, latency_us),
        STRING("dev", struct domain_audio_stream, dev, .max = NAME_MAX_BYTES),
        STRING("name", struct domain_audio_stream, name, .max = NAME_MAX_BYTES),
        STRING("streamName", struct domain_audio_stream, stream_name, .max = NAME_MAX_BYTES),
        STRING("serverName", struct domain_audio_stream, server_name, .max = NAME_MAX_BYTES),
        STRING("clientName", struct domain_audio_stream, client_name, .max = NAME_MAX_BYTES),
        STRING("connectPorts", struct domain_audio_stream, connect_ports, .max = NAME_MAX_BYTES),
        FIELDS_END,
};
static const struct field settings_fields[] = {
        UINT("frequency", struct domain_audio_stream, frequency),
        UINT("channels", struct domain_audio_stream, channels),
        NAME("format", struct domain_audio_stream, format, format_names),
        FIELDS_END,
};

#define STREAM(element, member)                                                                              \
        { element, stream_fields, NULL, offsetof(struct domain_audio, member) },                             \
        {                                                                                                    \
                element "/settings", settings_fields, NULL, offsetof(struct domain_audio, member)            \
        }

bool domain_read_audio(struct domain_reader *reader, xmlNode *node, void *target, GError **error)
{
        static const struct field_part parts[] = {
                { NULL, audio_fields },
                STREAM("input", input),
                STREAM("output", output),
                PARTS_END,
        };
        struct domain_audio *audio = target;

        audio->dsp_policy = -1;
        return field_read_parts(reader, node, parts, audio, error);
}
