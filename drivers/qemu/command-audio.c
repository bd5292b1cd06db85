/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the sound of a guest goes: -audiodev. Values only; any thread.
 */
#include "drivers/qemu/command-internal.h"

#include "drivers/qemu/qemu-caps.h"

#include <stdlib.h>
#include <string.h>

/* Properties are QEMU's, of the back ends that have them; it refuses what it does not know. */
static json_t *describe_stream(const struct domain_audio_stream *stream)
{
        json_t *object = json_object();

        device_set_switch(object, "mixing-engine", stream->mixing_engine);
        device_set_switch(object, "fixed-settings", stream->fixed_settings);
        device_set_uint(object, "voices", stream->voices);
        device_set_uint(object, "buffer-length", stream->buffer_length_us);
        device_set_uint(object, "frequency", stream->frequency);
        device_set_uint(object, "channels", stream->channels);
        device_set_string(object, "format", stream->format);
        device_set_string(object, "dev", stream->dev);
        device_set_uint(object, "buffer-count", stream->buffer_count);
        device_set_switch(object, "try-poll", stream->try_poll);
        device_set_string(object, "name", stream->name);
        device_set_string(object, "stream-name", stream->stream_name);
        device_set_uint(object, "latency", stream->latency_us);
        device_set_string(object, "server-name", stream->server_name);
        device_set_string(object, "client-name", stream->client_name);
        device_set_string(object, "connect-ports", stream->connect_ports);
        device_set_switch(object, "exact-name", stream->exact_name);
        return object;
}

static void set_stream(json_t *audiodev, const char *name, const struct domain_audio_stream *stream)
{
        json_t *object = describe_stream(stream);

        if (json_object_size(object) > 0)
                json_object_set_new(audiodev, name, object);
        else
                json_decref(object);
}

static bool is_pipewire(const struct domain_audio *audio)
{
        return strcmp(audio->type, "pipewire") == 0;
}

static void add_audiodev(struct command_builder *builder, unsigned id, const char *driver,
                         const struct domain_audio *audio)
{
        json_t *object = json_object();
        char *text;

        device_set_format(object, "id", "audio%u", id);
        device_set_string(object, "driver", driver);
        if (audio) {
                device_set_uint(object, "timer-period", audio->timer_period);
                device_set_string(object, "server", audio->server);
                if (!is_pipewire(audio))
                        device_set_string(object, "path", audio->path);
                device_set_switch(object, "try-mmap", audio->try_mmap);
                device_set_switch(object, "exclusive", audio->exclusive);
                if (audio->dsp_policy >= 0)
                        device_set_int(object, "dsp-policy", audio->dsp_policy);
                set_stream(object, "in", &audio->input);
                set_stream(object, "out", &audio->output);
        }
        text = json_dumps(object, JSON_COMPACT);
        command_append(builder, "-audiodev", text);
        free(text);
        json_decref(object);
}

static const char *get_driver(const char *type)
{
        static const struct {
                const char *type;
                const char *driver;
        } drivers[] = { { "none", "none" },        { "spice", "spice" }, { "alsa", "alsa" },
                        { "pulseaudio", "pa" },    { "oss", "oss" },     { "jack", "jack" },
                        { "file", "wav" },         { "dbus", "dbus" },   { "sdl", "sdl" },
                        { "pipewire", "pipewire" } };

        for (unsigned i = 0; i < G_N_ELEMENTS(drivers); i++) {
                if (g_strcmp0(drivers[i].type, type) == 0)
                        return drivers[i].driver;
        }
        return NULL;
}

/* What SDL itself is to use; it asks its environment. */
static void set_sdl_driver(struct command_builder *builder, const struct domain_audio *audio)
{
        if (audio->driver)
                g_ptr_array_add(builder->command->env, g_strconcat("SDL_AUDIODRIVER=", audio->driver, NULL));
}

/* Where the socket of PipeWire is; it asks its environment. */
static void set_runtime_dir(struct command_builder *builder, const struct domain_audio *audio)
{
        if (is_pipewire(audio) && audio->path)
                g_ptr_array_add(builder->command->env,
                                g_strconcat("PIPEWIRE_RUNTIME_DIR=", audio->path, NULL));
}

/* QEMU tells its back ends by version alone. */
static bool check_pipewire(const struct command_builder *builder, const struct domain_audio *audio,
                           GError **error)
{
        enum { FIRST = 8001000 };

        if (!is_pipewire(audio) || qemu_caps_get_version(builder->caps) >= FIRST)
                return true;
        return device_unsupported(error,
                                  "<audio type='pipewire'>, which QEMU has from version 8.1 on and emulator "
                                  "'%s' has not: use 'pulseaudio'",
                                  qemu_caps_get_path(builder->caps));
}

static const char *get_default(const struct domain_devices *devices)
{
        for (unsigned i = 0; i < devices->n_graphics; i++) {
                if (devices->graphics[i].type == DOMAIN_GRAPHICS_SPICE)
                        return "spice";
        }
        return "none";
}

bool command_audio_add(struct command_builder *builder, GError **error)
{
        const struct domain_devices *devices = &builder->def->devices;

        if (devices->n_audios == 0)
                add_audiodev(builder, 1, get_default(devices), NULL);
        for (unsigned i = 0; i < devices->n_audios; i++) {
                const struct domain_audio *audio = &devices->audios[i];
                const char *driver = get_driver(audio->type);

                if (!driver)
                        return device_unsupported(error, "<audio type='%s'> is not supported", audio->type);
                if (!check_pipewire(builder, audio, error))
                        return false;
                set_sdl_driver(builder, audio);
                set_runtime_dir(builder, audio);
                add_audiodev(builder, (unsigned)audio->id, driver, audio);
        }
        return true;
}
