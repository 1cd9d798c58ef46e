/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/httpd_server.h"
#include "tests/unit/unit.h"

#include <semaphore.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

struct httpd *server;
struct workpool *server_workers;

static struct entity *entity, *large;
static sem_t at_gate, gate;
static atomic_uint states_freed, states_freed_by_loop, works, accesses;
static atomic_int last_status;
static _Atomic uint64_t last_received;

static void wait_at_gate(void)
{
	sem_post(&at_gate);
	while (sem_wait(&gate) < 0)
		;
}

static int hello(struct req *r, struct err *e)
{
	(void)e;
	req_reply(r, reply_bytes(200, "text/plain", "hello", 5));
	return 0;
}

static int entity_head(struct req *r, struct err *e)
{
	(void)e;
	req_entity(r, entity);
	return 0;
}

static int large_head(struct req *r, struct err *e)
{
	(void)e;
	req_entity(r, large);
	return 0;
}

static int echo_work(struct req *r, struct err *e)
{
	CLEANUP_BUF struct buf out = BUF_INIT(4096);

	(void)e;
	atomic_fetch_add(&works, 1);
	buf_addf(&out, "%s ", req_base_url(r));
	(void)req_query(r, "q", &out);
	req_reply(r, reply_buf(200, "text/plain", &out));
	return 0;
}

static int gate_work(struct req *r, struct err *e)
{
	wait_at_gate();
	return echo_work(r, e);
}

static void free_nothing(void *state)
{
	(void)state;
	atomic_fetch_add(&states_freed, 1);
}

static int gate_head(struct req *r, struct err *e)
{
	(void)e;
	req_set_state(r, r, free_nothing);
	return 0;
}

static int stall_head(struct req *r, struct err *e)
{
	wait_at_gate();
	return hello(r, e);
}

static int missing(struct req *r, struct err *e)
{
	(void)r;
	return err_set(e, ERR_MODEL_NOT_FOUND, "there is no model \"%s\"", "x");
}

static int broken_work(struct req *r, struct err *e)
{
	struct buf details = BUF_INIT(64);

	buf_add_str(&details, "[{\"rule\":\"x\"}]");
	req_set_error_details(r, &details);
	return err_set(e, ERR_NOT_LOADABLE, "it is broken");
}

static int nothing_work(struct req *r, struct err *e)
{
	(void)r;
	(void)e;
	return 0;
}

/* ---- upload ---- */

static pthread_t upload_loop; /* whose thread took the last upload */

static void upload_free(void *state)
{
	struct buf *b = state;

	if (pthread_equal(upload_loop, pthread_self()))
		atomic_fetch_add(&states_freed_by_loop, 1);
	buf_done(b);
	free(b);
	atomic_fetch_add(&states_freed, 1);
}

static int upload_head(struct req *r, struct err *e)
{
	struct buf *b = malloc(sizeof(*b));

	(void)e;
	upload_loop = pthread_self();
	buf_init(b, 4 << 20);
	req_set_state(r, b, upload_free);
	return 0;
}

static uint64_t upload_max(struct req *r)
{
	(void)r;
	return 1 << 20;
}

static int upload_begin(struct req *r, const struct multipart_part *part, struct err *e)
{
	(void)e;
	buf_addf(req_state(r), STR_FMT "|" STR_FMT "|", STR_ARG(part->name),
		STR_ARG(part->filename));
	return 0;
}

static int upload_data(struct req *r, const char *bytes, size_t n, struct err *e)
{
	(void)e;
	buf_add(req_state(r), bytes, n);
	return 0;
}

static int late_data(struct req *r, const char *bytes, size_t n, struct err *e)
{
	struct buf *b = req_state(r);

	if (b->len > 1000)
		return err_set(e, ERR_STORAGE_FULL, "no room");
	buf_add(b, bytes, n);
	return 0;
}

static int upload_end(struct req *r, struct err *e)
{
	(void)e;
	buf_add_char(req_state(r), ';');
	return 0;
}

static int upload_work(struct req *r, struct err *e)
{
	(void)e;
	atomic_fetch_add(&works, 1);
	req_reply(r, reply_buf(201, "application/octet-stream", req_state(r)));
	return 0;
}

#define PARTS(data_fn)                                                          \
	.writes = true, .body = HANDLER_BODY_MULTIPART, .max_body = upload_max, \
	.head = upload_head, .part_begin = upload_begin, .part_data = data_fn,  \
	.part_end = upload_end, .work = upload_work

static const struct handler hello_handler = {.name = "hello", .head = hello};
static const struct handler entity_handler = {.name = "entity", .head = entity_head};
static const struct handler large_handler = {.name = "large", .head = large_head};
static const struct handler work_handler = {.name = "work", .work = echo_work};
static const struct handler gate_handler = {.name = "gate", .head = gate_head, .work = gate_work};
static const struct handler stall_handler = {.name = "stall", .head = stall_head};
static const struct handler missing_handler = {.name = "missing", .head = missing};
static const struct handler broken_handler = {.name = "broken", .work = broken_work};
static const struct handler nothing_handler = {.name = "nothing", .work = nothing_work};
static const struct handler upload_handler = {.name = "upload", PARTS(upload_data)};
static const struct handler raw_handler = {
	.name = "raw", .data = upload_data, PARTS(upload_data)};
static const struct handler late_handler = {.name = "late", PARTS(late_data)};

static const struct router_row routes[] = {
	{METHOD_GET, "/hello", &hello_handler},
	{METHOD_GET, "/entity", &entity_handler},
	{METHOD_GET, "/large", &large_handler},
	{METHOD_GET, "/work", &work_handler},
	{METHOD_GET, "/gate", &gate_handler},
	{METHOD_GET, "/stall", &stall_handler},
	{METHOD_GET, "/missing", &missing_handler},
	{METHOD_GET, "/broken", &broken_handler},
	{METHOD_GET, "/nothing", &nothing_handler},
	{METHOD_GET, "/quiet/{x}", &missing_handler},
	{METHOD_POST, "/upload", &upload_handler},
	{METHOD_POST, "/raw", &raw_handler},
	{METHOD_POST, "/late", &late_handler},
};

static bool is_quiet(struct str path)
{
	return str_starts(path, "/quiet/");
}

static void note_access(void *app, const struct httpd_access *a)
{
	ck_assert_ptr_eq(app, &works);
	atomic_store(&last_status, a->status);
	atomic_store(&last_received, a->received);
	atomic_fetch_add(&accesses, 1);
}

/* ---- life ---- */

static struct entity *make_entity(const void *bytes, size_t n, void (*release)(void *), void *cls)
{
	return entity_new(&(struct entity_options){
		.forms[CODING_IDENTITY] = {
			.bytes = bytes, .size = n, .release = release, .cls = cls,
			.etag = "\"e1\"", .repr_digest = "sha-256=:AA==:",
		},
		.content_type = "application/octet-stream",
		.modified_ms = 784111777000, .cache_control = "no-cache",
	});
}

struct httpd_options server_options(void)
{
	static const char *const listen[] = {"127.0.0.1:0"};

	return (struct httpd_options){
		.listen = listen,
		.listen_n = 1,
		.loops = 1,
		.connections = 2048,
		.timeout_s = 30,
		.head_max = 12 << 10,
		.patience = {.head_ms = 20000, .request_ms = 60000, .rate = 1024, .rate_ms = 30000},
		.max_expansion = 100,
		.send_buffer = 256 << 10,
		.routes = routes,
		.routes_n = ARRAY_SIZE(routes),
		.app = &works,
		.workers = server_workers,
		.quiet_errors = is_quiet,
		.access = note_access,
	};
}

void server_start(const struct httpd_options *from)
{
	struct httpd_options o = *from;
	void *zeros = calloc(1, SERVER_LARGE);
	struct err e;

	ck_assert_int_eq(sem_init(&at_gate, 0, 0) | sem_init(&gate, 0, 0), 0);
	entity = make_entity("0123456789", 10, NULL, NULL);
	large = make_entity(zeros, SERVER_LARGE, free, zeros);
	ck_assert(entity && large);
	ck_ok(workpool_start(2, 0, 16, &server_workers, &e));
	o.workers = server_workers;
	ck_ok(httpd_start(&o, &server, &e));
}

void server_start_default(void)
{
	struct httpd_options o = server_options();

	server_start(&o);
}

void server_stop(void)
{
	httpd_stop(server, 5000);
	server = NULL;
	workpool_stop(server_workers);
	entity_unref(entity);
	entity_unref(large);
}

unsigned server_port(void)
{
	return httpd_port(server, 0);
}

struct server_seen server_seen(void)
{
	return (struct server_seen){
		.states_freed = states_freed, .states_freed_by_loop = states_freed_by_loop,
		.works = works, .accesses = accesses,
		.last_status = last_status, .last_received = last_received,
	};
}

void server_wait_until(bool (*holds)(void))
{
	for (int i = 0; i < 60000 && !holds(); i++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	ck_assert(holds());
}

void server_wait_at_gate(void)
{
	while (sem_wait(&at_gate) < 0)
		;
}

void server_open_gate(void)
{
	sem_post(&gate);
}
