/* SPDX-License-Identifier: Apache-2.0 */
#include "server/herald.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "server/sysd.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#define TELL_MS       1000   /* a status, at most as often */
#define EXTEND_MS     5000u  /* how often more time is asked for */
#define EXTENSION_MS  20000u
#define HURRY_MS      1500   /* what is cut has ended by then */
#define STATUS_MAX    1024

struct telling {
	uint64_t began_ms, extended_ms;
	char told[STATUS_MAX]; /* the last status */
};

static void tell(struct herald *h, struct telling *t, uint64_t now)
{
	CLEANUP_BUF struct buf text = BUF_INIT(STATUS_MAX);

	if (now - t->began_ms < h->task.most_ms &&
		(t->extended_ms == 0 || now - t->extended_ms >= EXTEND_MS)) {
		t->extended_ms = now;
		sysd_extend(EXTENSION_MS);
	}
	h->task.describe(h->task.cls, &text);
	if (strcmp(buf_str(&text), t->told) == 0)
		return;
	(void)snprintf(t->told, sizeof(t->told), "%s", buf_str(&text));
	sysd_status(t->told);
}

/* True when there is something to read from it within that time. */
static bool wait_for(int fd, int other_fd, int ms)
{
	struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = other_fd, .events = POLLIN}};

	return poll(fds, ARRAY_SIZE(fds), ms) > 0 && (fds[0].revents & POLLIN);
}

/* What was answered is durable, and what was not is whole or absent after the next start. */
static void end_at_once(struct herald *h, int sig)
{
	log_event(LOG_LEVEL_WARNING, "ending at once", "signal", strsignal(sig), NULL);
	h->task.hurry(h->task.cls);
	if (!wait_for(h->over_fd, -1, HURRY_MS))
		_exit(EXIT_FAILURE);
}

static void *run(void *cls)
{
	struct herald *h = cls;
	struct telling t = {.began_ms = clock_mono_ms()};
	struct signalfd_siginfo sig;

	(void)snprintf(t.told, sizeof(t.told), "%s", h->task.told ? h->task.told : "");
	for (;;) {
		tell(h, &t, clock_mono_ms());
		if (wait_for(h->over_fd, h->signal_fd, TELL_MS))
			return NULL;
		if (h->signal_fd >= 0 && read(h->signal_fd, &sig, sizeof(sig)) == sizeof(sig))
			end_at_once(h, (int)sig.ssi_signo);
	}
}

static bool start(struct herald *h)
{
	h->over_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (h->task.hurry)
		h->signal_fd = signalfd(-1, &h->task.signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return h->over_fd >= 0 && (!h->task.hurry || h->signal_fd >= 0) &&
		pthread_create(&h->thread, NULL, run, h) == 0;
}

void herald_begin(struct herald *h, const struct herald_task *task)
{
	*h = (struct herald){.task = *task, .over_fd = -1, .signal_fd = -1};
	if (sysd_listens() || task->hurry)
		h->runs = start(h);
}

void herald_end(struct herald *h)
{
	const uint64_t one = 1;

	/* It is empty: there is room. */
	if (h->runs && write(h->over_fd, &one, sizeof(one)) == sizeof(one))
		(void)pthread_join(h->thread, NULL);
	close_fd_p(&h->over_fd);
	close_fd_p(&h->signal_fd);
}
