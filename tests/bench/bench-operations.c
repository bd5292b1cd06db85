/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The quick operations on a guest that runs, each against what its QEMU takes by itself: the commands that
 * the operation comes to, one after the other, on a monitor of ours; and against the bare file, where one has
 * to be written before the answer, because an agent that is killed at any moment may lose nothing of what it
 * has answered. The rest is the agent's and the bus's, and is held against the echo of the reply.
 */

#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/support/guest.h"

#define ROUNDS    60
#define GOAL      2.0
#define PEEK      4096
#define LIVE      1
#define DISK_SIZE (1 << 20)

/* What is written of this guest: its status note, and its document. */
#define NOTE_BYTES     4400
#define DOCUMENT_BYTES 3100

/* The file that an operation cannot be answered without. */
enum file {
        FILE_NONE,
        FILE_NOTE,     /* in the runtime directory, which is memory: outlives the agent, not the host */
        FILE_DOCUMENT, /* on the disk */
};

struct operation {
        const char *what;
        const char *members[2]; /* in turns; the second may be NULL: always the first */
        void (*append)(sd_bus_message *message, unsigned round); /* NULL: no arguments */
        /* Lines of QMP, in turns; NULL: QEMU has no part in it. */
        const char *commands[2];
        const char *remark; /* why it may take longer; NULL: nothing */
        enum file file;
        bool handed; /* the commands name a set of descriptors (%d) with one that QEMU is handed before */
};

/* ---- arguments ---- */

static void append_flags(sd_bus_message *message, unsigned round)
{
        sd_bus_message_append(message, "u", 0);
}

static void append_size(sd_bus_message *message, unsigned round)
{
        sd_bus_message_append(message, "tu", (uint64_t)(round % 2 ? 63 : 62) * 1024, LIVE);
}

static void append_period(sd_bus_message *message, unsigned round)
{
        sd_bus_message_append(message, "iu", round % 2 ? 20 : 10, LIVE);
}

static void append_key(sd_bus_message *message, unsigned round)
{
        sd_bus_message_append(message, "uuauu", 0, 1, 1, 30, 0);
}

static void append_disk(sd_bus_message *message, unsigned round)
{
        sd_bus_message_append(message, "s", "vda");
}

static void append_disk_and_flags(sd_bus_message *message, unsigned round)
{
        sd_bus_message_append(message, "su", "vda", 0);
}

static void append_memory(sd_bus_message *message, unsigned round)
{
        sd_bus_message_append(message, "ttu", (uint64_t)0, (uint64_t)PEEK, 2);
}

static void append_block(sd_bus_message *message, unsigned round)
{
        sd_bus_message_append(message, "sttu", "vda", (uint64_t)0, (uint64_t)PEEK, 0);
}

static void append_tune(sd_bus_message *message, unsigned round)
{
        sd_bus_message_append(message, "sa{sv}u", "vda", 1, "total_bytes_sec", "t",
                              (uint64_t)(round % 2 ? 1000000 : 2000000), LIVE);
}

static void append_threshold(sd_bus_message *message, unsigned round)
{
        sd_bus_message_append(message, "stu", "vda", (uint64_t)(round % 2 ? 65536 : 131072), 0);
}

static void append_bandwidth(sd_bus_message *message, unsigned round)
{
        sd_bus_message_append(message, "sa{sv}u", "52:54:00:00:00:01", 1, "inbound.average", "u",
                              round % 2 ? 1000 : 2000, LIVE);
}

static void append_pin(sd_bus_message *message, unsigned round)
{
        sd_bus_message_append(message, "uabu", 0, 2, round % 2, 1, LIVE);
}

static void append_screen(sd_bus_message *message, unsigned round)
{
        sd_bus_message_append(message, "uu", 0, 0);
}

static void append_iothread(sd_bus_message *message, unsigned round)
{
        sd_bus_message_append(message, "uu", 7, LIVE);
}

/* A description. */
static void append_metadata(sd_bus_message *message, unsigned round)
{
        sd_bus_message_append(message, "isssu", 0, round % 2 ? "one" : "another", "", "", LIVE);
}

static void append_stored_metadata(sd_bus_message *message, unsigned round)
{
        sd_bus_message_append(message, "isssu", 0, round % 2 ? "one" : "another", "", "", 2);
}

/* ---- the table ---- */

/* What the agent has to do beside it. */
#define EDITED "a document that is edited"
#define HANDED "a descriptor that QEMU is handed, and gives back, by commands of their own"

static const struct operation operations[] = {
        { "GetState", { "GetState" }, append_flags, { NULL }, NULL },
        { "GetXMLDesc", { "GetXMLDesc" }, append_flags, { NULL }, NULL },
        { "GetJobInfo", { "GetJobInfo" }, NULL, { NULL }, NULL },
        { "GetControlInfo", { "GetControlInfo" }, append_flags, { NULL }, NULL },
        { "GetVcpus", { "GetVcpus" }, append_flags, { NULL }, NULL },
        { "GetVcpuInfo", { "GetVcpuInfo" }, NULL, { NULL }, "files of /proc" },
        { "GetBlockIOTune", { "GetBlockIOTune" }, append_disk_and_flags, { NULL }, NULL },
        { "BlockStats", { "BlockStats" }, append_disk, { "{\"execute\":\"query-blockstats\"}\n" }, NULL },
        { "MemoryStats",
          { "MemoryStats" },
          append_flags,
          { "{\"execute\":\"qom-get\",\"arguments\":{\"path\":\"/machine/peripheral/balloon0\","
            "\"property\":\"guest-stats\"}}\n" },
          "files of /proc" },
        { "SetMemory",
          { "SetMemory" },
          append_size,
          { "{\"execute\":\"balloon\",\"arguments\":{\"value\":64000000}}\n",
            "{\"execute\":\"balloon\",\"arguments\":{\"value\":65000000}}\n" },
          EDITED,
          FILE_NOTE },
        { "SetMemoryStatsPeriod",
          { "SetMemoryStatsPeriod" },
          append_period,
          { "{\"execute\":\"qom-set\",\"arguments\":{\"path\":\"/machine/peripheral/balloon0\","
            "\"property\":\"guest-stats-polling-interval\",\"value\":10}}\n",
            "{\"execute\":\"qom-set\",\"arguments\":{\"path\":\"/machine/peripheral/balloon0\","
            "\"property\":\"guest-stats-polling-interval\",\"value\":20}}\n" },
          EDITED,
          FILE_NOTE },
        { "SendKey",
          { "SendKey" },
          append_key,
          { "{\"execute\":\"send-key\",\"arguments\":{\"keys\":[{\"type\":\"number\",\"data\":30}],"
            "\"hold-time\":1}}\n" },
          NULL },
        { "InjectNMI", { "InjectNMI" }, append_flags, { "{\"execute\":\"inject-nmi\"}\n" }, NULL },
        { "Suspend, Resume",
          { "Suspend", "Resume" },
          NULL,
          { "{\"execute\":\"stop\"}\n", "{\"execute\":\"cont\"}\n" },
          NULL,
          FILE_NOTE },
        { "MemoryPeek, 4 KiB",
          { "MemoryPeek" },
          append_memory,
          { "{\"execute\":\"pmemsave\",\"arguments\":{\"val\":0,\"size\":4096,\"filename\":\"/dev/"
            "null\"}}\n" },
          HANDED },
        { "BlockPeek, 4 KiB", { "BlockPeek" }, append_block, { NULL }, NULL },
        { "SetBlockIOTune",
          { "SetBlockIOTune" },
          append_tune,
          { "{\"execute\":\"qom-set\",\"arguments\":{\"path\":\"/objects/throttle-virtio-disk0\","
            "\"property\":\"limits\",\"value\":{\"bps-total\":2000000}}}\n" },
          EDITED,
          FILE_NOTE },
        { "SetBlockThreshold",
          { "SetBlockThreshold" },
          append_threshold,
          { "{\"execute\":\"block-set-write-threshold\",\"arguments\":{\"node-name\":\"libvirt-1-storage\","
            "\"write-threshold\":65536}}\n" },
          NULL },
        { "SetInterfaceParameters",
          { "SetInterfaceParameters" },
          append_bandwidth,
          { NULL },
          "netlink, and " EDITED,
          FILE_NOTE },
        { "PinVcpu",
          { "PinVcpu" },
          append_pin,
          { "{\"execute\":\"query-cpus-fast\"}\n" },
          EDITED,
          FILE_NOTE },
        { "AddIOThread, DelIOThread",
          { "AddIOThread", "DelIOThread" },
          append_iothread,
          { "{\"execute\":\"object-add\",\"arguments\":{\"qom-type\":\"iothread\",\"id\":\"own\"}}\n"
            "{\"execute\":\"query-iothreads\"}\n",
            "{\"execute\":\"object-del\",\"arguments\":{\"id\":\"own\"}}\n" },
          EDITED,
          FILE_NOTE },
        { "Screenshot",
          { "Screenshot" },
          append_screen,
          { "{\"execute\":\"screendump\",\"arguments\":{\"filename\":\"/dev/fdset/%d\"}}\n" },
          NULL,
          FILE_NONE,
          true },
        { "SetMetadata of the guest", { "SetMetadata" }, append_metadata, { NULL }, EDITED, FILE_NOTE },
        { "SetMetadata of the definition",
          { "SetMetadata" },
          append_stored_metadata,
          { NULL },
          EDITED,
          FILE_DOCUMENT },
};

/* ---- measuring ---- */

static const char *take_turns(const char *const pair[2], unsigned round)
{
        return pair[1] ? pair[round % 2] : pair[0];
}

/* NULL: it failed, with its text in *failure. */
static sd_bus_message *call(struct bench *bench, const char *destination, const char *path,
                            const struct operation *operation, unsigned round, int64_t *ns, char **failure)
{
        sd_bus *bus = client_get_bus(bench->client);
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        g_autoptr(sd_bus_message) message = NULL;
        int64_t start = bench_now_ns();

        ck_assert_int_ge(sd_bus_message_new_method_call(bus, &message, destination, path, DOMAIN_INTERFACE,
                                                        take_turns(operation->members, round)),
                         0);
        if (operation->append)
                operation->append(message, round);
        if (sd_bus_call(bus, message, CLIENT_DEADLINE_US, &error, &reply) < 0)
                *failure = g_strdup(error.message);
        *ns = bench_now_ns() - start;
        sd_bus_error_free(&error);
        return reply;
}

static int64_t ask_monitor(int monitor, const char *commands)
{
        g_auto(GStrv) lines = g_strsplit(commands, "\n", -1);
        int64_t start = bench_now_ns();

        for (char **line = lines; **line; line++) {
                g_autofree char *whole = g_strconcat(*line, "\n", NULL);

                bench_ask_monitor(monitor, whole);
        }
        return bench_now_ns() - start;
}

/* The number of a set of descriptors that QEMU has made of this one. */
static int hand_over(int monitor, int fd)
{
        static char command[] = "{\"execute\":\"add-fd\"}\n";
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = { .bytes = { 0 } };
        struct iovec iov = { command, strlen(command) };
        struct msghdr message = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };
        char answer[4096];
        const char *set = NULL;

        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
        ck_assert_int_eq(sendmsg(monitor, &message, MSG_NOSIGNAL), (ssize_t)iov.iov_len);
        while (!set) {
                ssize_t length = read(monitor, answer, sizeof(answer) - 1);

                ck_assert_int_gt(length, 0);
                answer[length] = '\0';
                set = strstr(answer, "\"fdset-id\": ");
        }
        return atoi(set + strlen("\"fdset-id\": "));
}

/* The set is taken back when the time has been taken, as the agent does behind its answer. */
static int64_t ask_with_descriptor(int monitor, const char *command)
{
        int fd = memfd_create("bench", MFD_CLOEXEC);
        g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd), *remove = NULL;
        g_auto(GStrv) parts = g_strsplit(command, "%d", 2);
        int64_t start = bench_now_ns(), ns;
        int writable = open(path, O_WRONLY | O_CLOEXEC), set = hand_over(monitor, writable);
        g_autofree char *whole = g_strdup_printf("%s%d%s", parts[0], set, parts[1]);

        bench_ask_monitor(monitor, whole);
        ns = bench_now_ns() - start;
        remove = g_strdup_printf("{\"execute\":\"remove-fd\",\"arguments\":{\"fdset-id\":%d}}\n", set);
        bench_ask_monitor(monitor, remove);
        close(writable);
        close(fd);
        return ns;
}

/* As base/store does it: a draft beside the file takes its place. */
static int64_t write_file(const char *dir, enum file file)
{
        static const char bytes[MAX(NOTE_BYTES, DOCUMENT_BYTES)];
        ssize_t length = file == FILE_NOTE ? NOTE_BYTES : DOCUMENT_BYTES;
        int64_t start = bench_now_ns();
        int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int fd = openat(dir_fd, "draft", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

        ck_assert_int_eq(write(fd, bytes, (size_t)length), length);
        if (file == FILE_DOCUMENT)
                ck_assert_int_eq(fsync(fd), 0);
        close(fd);
        ck_assert_int_eq(renameat(dir_fd, "draft", dir_fd, "file"), 0);
        if (file == FILE_DOCUMENT)
                ck_assert_int_eq(fsync(dir_fd), 0);
        close(dir_fd);
        return bench_now_ns() - start;
}

static void store_reply(struct bench *bench, sd_bus_message *reply)
{
        g_autoptr(sd_bus_message) store = NULL;

        ck_assert_int_ge(sd_bus_message_new_method_call(client_get_bus(bench->client), &store,
                                                        "org.virtbus.Echo", "/", "org.virtbus.Echo", "Store"),
                         0);
        ck_assert_int_ge(sd_bus_message_copy(store, reply, 1), 0);
        ck_assert_int_ge(sd_bus_call(client_get_bus(bench->client), store, CLIENT_DEADLINE_US, NULL, NULL),
                         0);
}

/* The tenth percentile: what it takes when nothing else has the CPUs, which QEMU's threads share with it. */
static double fastest_us(int64_t *ns)
{
        bench_median(ns, ROUNDS);
        return ns[ROUNDS / 10] / 1e3;
}

static void print(const struct operation *operation, double ours_us, double qemu_us, double file_us,
                  double echo_us)
{
        g_autofree char *qemu = qemu_us > 0 ? g_strdup_printf(", QEMU %.0f us", qemu_us) : g_strdup("");
        g_autofree char *file = file_us > 0 ? g_strdup_printf(", file %.0f us", file_us) : g_strdup("");
        g_autofree char *what = g_strconcat(operation->what, qemu, file, NULL);
        double rest_us = ours_us - qemu_us - file_us;

        bench_print(what, rest_us, echo_us, "us", GOAL);
        if (operation->remark && rest_us > GOAL * echo_us)
                bench_print_note("  with", operation->remark);
}

/* The folders of files, by kind. */
struct folders {
        char *of[FILE_DOCUMENT + 1];
};

static void measure(struct bench *bench, const char *path, int monitor, const struct folders *folders,
                    const struct operation *operation)
{
        int64_t ours[ROUNDS], qemu[ROUNDS], file[ROUNDS], echo[ROUNDS];
        g_autofree char *failure = NULL;

        for (unsigned i = 0; i < ROUNDS; i++) {
                const char *commands = take_turns(operation->commands, i);
                g_autoptr(sd_bus_message) reply =
                        call(bench, "org.libvirt", path, operation, i, &ours[i], &failure);

                if (!reply) {
                        bench_print_note(operation->what, failure);
                        return;
                }
                if (i == 0)
                        store_reply(bench, reply);
                sd_bus_message_unref(call(bench, "org.virtbus.Echo", path, operation, i, &echo[i], &failure));
                qemu[i] = 0;
                if (operation->handed)
                        qemu[i] = ask_with_descriptor(monitor, commands);
                else if (commands)
                        qemu[i] = ask_monitor(monitor, commands);
                file[i] = operation->file ? write_file(folders->of[operation->file], operation->file) : 0;
        }
        print(operation, fastest_us(ours), fastest_us(qemu), fastest_us(file), fastest_us(echo));
}

/* ---- the guest ---- */

static char *make_xml(struct bench *bench, const char *monitor, const char *interface)
{
        g_autofree char *firmware = bench_make_firmware(bench), *disk = harness_path(bench->harness, "disk");
        g_autofree char *zeros = g_malloc0(DISK_SIZE);
        g_autofree char *devices =
                g_strdup_printf("<disk type='file'><driver name='qemu' type='raw'/><source file='%s'/>"
                                "<target dev='vda' bus='virtio'/></disk>%s<video><model type='vga'/></video>"
                                "<memballoon model='virtio'><alias name='balloon0'/></memballoon>",
                                disk, interface);
        g_autofree char *bare = guest_bare_xml("operations", devices);
        g_auto(GStrv) parts = g_strsplit(bare, "<memballoon model='none'/>", 2);

        ck_assert(g_file_set_contents(disk, zeros, DISK_SIZE, NULL));
        return bench_halted_xml(g_strjoinv("", parts), firmware, monitor);
}

/* In a virtual network where that can be: whose interface is there on the host. */
static const char *choose_interface(struct bench *bench)
{
        static const char network[] = "<network><name>operations</name><bridge name='br-ops'/></network>";
        g_autofree char *failed =
                client_try(bench->client, QEMU_PATH, CONNECT_INTERFACE, "NetworkCreateXML", "s", network);

        return failed ? "<interface type='user'><mac address='52:54:00:00:00:01'/></interface>"
                      : "<interface type='network'><mac address='52:54:00:00:00:01'/>"
                        "<source network='operations'/><model type='virtio'/></interface>";
}

static char *make_folder(struct bench *bench, const char *name)
{
        char *path = harness_path(bench->harness, name);

        ck_assert_int_eq(g_mkdir(path, 0700), 0);
        return path;
}

static void remove_folder(char *path)
{
        g_autofree char *file = g_build_filename(path, "file", NULL);

        unlink(file);
        ck_assert_int_eq(rmdir(path), 0);
        g_free(path);
}

void bench_operations(struct bench *bench)
{
        g_autofree char *socket = harness_path(bench->harness, "ops"), *path = NULL;
        char note_dir[] = "/dev/shm/virtbus-bench-XXXXXX";
        struct folders folders = { { NULL } };
        int monitor;

        /* Where the runtime directory is (bench.c), and where the agent's state is. */
        folders.of[FILE_NOTE] = g_mkdtemp(note_dir) ? g_strdup(note_dir) : make_folder(bench, "notes");
        folders.of[FILE_DOCUMENT] = make_folder(bench, "documents");
        path = guest_start(bench->client, make_xml(bench, socket, choose_interface(bench)));
        monitor = bench_connect_monitor(socket);
        for (unsigned i = 0; i < G_N_ELEMENTS(operations); i++)
                measure(bench, path, monitor, &folders, &operations[i]);
        close(monitor);
        client_do(bench->client, path, DOMAIN_INTERFACE, "Destroy", "u", 0);
        client_do(bench->client, path, DOMAIN_INTERFACE, "Undefine", "u", 0);
        for (enum file file = FILE_NOTE; file <= FILE_DOCUMENT; file++)
                remove_folder(folders.of[file]);
}
