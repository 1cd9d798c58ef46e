/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/blobs.h"
#include "common/store/blobs_fs.h"
#include "common/store/storelock.h"
#include "tests/unit/unit.h"
#include "tests/unit/unit_dir.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static struct blobs *store;

static void open_store(void)
{
	struct err e;

	unit_dir_make();
	ck_ok(blobs_fs_open(unit_dir_path, &store, &e));
}

static void close_store(void)
{
	blobs_close(store);
	unit_dir_remove();
}

static struct blob_writer *written(const void *bytes, size_t n, struct digest *ret)
{
	struct blob_writer *w;
	struct digest want;
	uint64_t size;
	struct err e;

	ck_ok(blobs_create(store, &w, &e));
	ck_ok(blob_writer_write(w, bytes, n, &e));
	ck_ok(blob_writer_finish(w, ret, &size, &e));
	ck_assert_uint_eq(size, n);
	ck_ok(digest_of(bytes, n, &want, &e));
	ck_assert(digest_eq(ret, &want));
	return w;
}

static struct blob_key stored(const void *bytes, size_t n)
{
	struct digest d;
	struct blob_key key;
	struct blob_writer *w = written(bytes, n, &d);
	struct err e;

	ck_ok(blob_key_fresh(&d, &key, &e));
	ck_ok(blob_writer_link(w, &key, &e));
	ck_ok(blobs_sync(store, &key, 1, &e));
	blob_writer_free(w);
	return key;
}

static const char *file_of(const struct blob_key *key)
{
	static char path[128];
	char text[BLOB_KEY_TEXT];

	blob_key_text(key, text);
	(void)snprintf(path, sizeof(path), "blobs/%.2s/%.2s/%s", text, text + 2, text);
	return unit_dir_file(path);
}

/* Damage: the store keeps its files from being written to, except by root. */
static void cut(const struct blob_key *key, off_t size)
{
	const char *path = file_of(key);

	ck_assert_int_eq(chmod(path, 0600), 0);
	ck_assert_int_eq(truncate(path, size), 0);
}

START_TEST(keys_are_read_back_and_fresh_ones_differ)
{
	struct digest d = {.bytes = {1, 2, 3}};
	struct blob_key a;
	struct blob_key b;
	char text[BLOB_KEY_TEXT];
	struct err e;

	ck_ok(blob_key_fresh(&d, &a, &e));
	ck_assert_uint_eq(strlen(blob_key_text(&a, text)), BLOB_KEY_TEXT - 1);
	ck_assert(blob_key_parse(str_of(text), &b));
	ck_assert(digest_eq(&a.digest, &b.digest));
	ck_assert_str_eq(a.gen, b.gen);
	ck_ok(blob_key_fresh(&d, &b, &e));
	ck_assert_str_ne(a.gen, b.gen);
	ck_assert(!blob_key_parse((struct str){text, sizeof(text) - 2}, &b));
	text[DIGEST_HEX] = '-';
	ck_assert(!blob_key_parse(str_of(text), &b));
	text[DIGEST_HEX] = '.';
	text[DIGEST_HEX + 1] = 'A';
	ck_assert(!blob_key_parse(str_of(text), &b));
}
END_TEST

START_TEST(bytes_come_back_from_the_layout_that_the_header_promises)
{
	struct blob_key key = stored("weights", 7);
	CLEANUP(blob_unref_p) struct blob *b = NULL;
	struct stat st;
	struct err e;

	ck_ok(blobs_open(store, &key, 7, &b, &e));
	ck_assert_uint_eq(blob_size(b), 7);
	ck_assert_int_eq(memcmp(blob_data(b), "weights", 7), 0);
	ck_assert_int_eq(stat(file_of(&key), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0440);
	ck_assert_uint_eq(st.st_nlink, 1);
	ck_assert_uint_eq(unit_dir_count("tmp"), 0);
}
END_TEST

START_TEST(pieces_of_any_size_make_the_same_blob)
{
	static const size_t pieces[] = {1, 4095, BLOB_WRITE_BUFFER - 1, BLOB_WRITE_BUFFER,
		BLOB_WRITE_BUFFER + 1, 3 * BLOB_WRITE_BUFFER};
	size_t n = 2 * BLOB_WRITE_BUFFER + 77;
	CLEANUP_FREE uint8_t *bytes = malloc(n);
	CLEANUP(blob_writer_free_p) struct blob_writer *w = NULL;
	CLEANUP(blob_unref_p) struct blob *b = NULL;
	size_t step = pieces[_i] == 1 ? 1021 : pieces[_i];
	struct digest d;
	struct digest want;
	uint64_t size;
	struct err e;

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(i * 31 + i / 251);
	ck_ok(blobs_create(store, &w, &e));
	for (size_t at = 0; at < n; at += step)
		ck_ok(blob_writer_write(w, bytes + at, n - at < step ? n - at : step, &e));
	ck_ok(blob_writer_finish(w, &d, &size, &e));
	ck_ok(digest_of(bytes, n, &want, &e));
	ck_assert(digest_eq(&d, &want));
	ck_ok(blob_writer_load(w, &b, &e));
	ck_assert_uint_eq(blob_size(b), n);
	ck_assert_int_eq(memcmp(blob_data(b), bytes, n), 0);
}
END_TEST

/* Small pieces are gathered, large ones pass by: in the order in which they came, all the same. */
START_TEST(small_and_large_pieces_in_turn_make_the_same_blob)
{
	static const size_t steps[] = {7, 65536, 65535, 3, 131072, 4095, BLOB_WRITE_BUFFER, 65537};
	size_t n = 5 * BLOB_WRITE_BUFFER + 77;
	CLEANUP_FREE uint8_t *bytes = malloc(n);
	CLEANUP(blob_writer_free_p) struct blob_writer *w = NULL;
	CLEANUP(blob_unref_p) struct blob *b = NULL;
	struct digest d, want;
	uint64_t size;
	struct err e;

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(i * 31 + i / 251);
	ck_ok(blobs_create(store, &w, &e));
	for (size_t at = 0, i = 0; at < n; i++) {
		size_t step = steps[i % ARRAY_SIZE(steps)];
		step = n - at < step ? n - at : step;
		ck_ok(blob_writer_write(w, bytes + at, step, &e));
		at += step;
		ck_assert_uint_le(blob_writer_readable(w), at);
	}
	ck_ok(blob_writer_finish(w, &d, &size, &e));
	ck_ok(digest_of(bytes, n, &want, &e));
	ck_assert(digest_eq(&d, &want));
	ck_ok(blob_writer_load(w, &b, &e));
	ck_assert_uint_eq(size, n);
	ck_assert_int_eq(memcmp(blob_data(b), bytes, n), 0);
}
END_TEST

START_TEST(an_empty_blob_has_no_bytes)
{
	struct blob_key key = stored("", 0);
	CLEANUP(blob_unref_p) struct blob *b = NULL;
	struct err e;

	ck_ok(blobs_open(store, &key, 0, &b, &e));
	ck_assert_ptr_null(blob_data(b));
	ck_assert_uint_eq(blob_size(b), 0);
}
END_TEST

START_TEST(a_link_never_replaces)
{
	struct blob_key key = stored("same", 4);
	struct digest d;
	CLEANUP(blob_writer_free_p) struct blob_writer *w = written("same", 4, &d);
	struct blob_key other;
	struct err e;

	ck_err(blob_writer_link(w, &key, &e), ERR_IO_FAILED);
	ck_assert_int_eq(e.sys_errno, EEXIST);
	ck_ok(blob_key_fresh(&d, &other, &e));
	ck_ok(blob_writer_link(w, &other, &e));
	ck_assert_uint_eq(unit_dir_count("blobs"), 2);
}
END_TEST

#define SMALL (16u << 10) /* and no larger: stays in memory until it is sealed */

static const uint8_t larger[SMALL + 1];

START_TEST(a_writer_that_is_dropped_leaves_nothing)
{
	struct digest d;
	struct blob_writer *w = written(larger, sizeof(larger), &d);

	ck_assert_uint_eq(unit_dir_count("tmp"), 1);
	blob_writer_free(w);
	ck_assert_uint_eq(unit_dir_count("tmp"), 0);
	ck_assert_uint_eq(unit_dir_count("blobs"), 0);
}
END_TEST

START_TEST(a_small_file_touches_the_disk_when_it_is_sealed)
{
	CLEANUP(blob_unref_p) struct blob *b = NULL;
	struct digest d;
	struct blob_key key;
	char part[3];
	struct err e;
	struct blob_writer *w = written("12345", 5, &d);

	ck_assert_uint_eq(unit_dir_count("tmp"), 0);
	ck_assert_uint_eq(blob_writer_readable(w), 5);
	ck_ok(blob_writer_read_at(w, 1, part, 3, &e));
	ck_assert_mem_eq(part, "234", 3);
	ck_ok(blobs_seal(store, &w, 1, &e));
	ck_assert_uint_eq(unit_dir_count("tmp"), 1);
	ck_ok(blob_writer_read_at(w, 2, part, 3, &e));
	ck_assert_mem_eq(part, "345", 3);
	ck_ok(blob_key_fresh(&d, &key, &e));
	ck_ok(blob_writer_link(w, &key, &e));
	ck_ok(blobs_load(store, &key, 5, &b, &e));
	ck_assert_mem_eq(blob_data(b), "12345", 5);
	blob_writer_free(w);
}
END_TEST

START_TEST(small_files_take_bounded_memory)
{
	enum { MANY = 300, KEPT = (4u << 20) / SMALL };
	struct blob_writer *w[MANY];
	struct digest d;

	for (unsigned again = 0; again < 2; again++) {
		for (unsigned i = 0; i < MANY; i++)
			w[i] = written(larger, SMALL, &d);
		ck_assert_uint_eq(unit_dir_count("tmp"), MANY - KEPT);
		for (unsigned i = 0; i < MANY; i++)
			blob_writer_free(w[i]);
		ck_assert_uint_eq(unit_dir_count("tmp"), 0);
	}
}
END_TEST

START_TEST(a_missing_or_resized_file_is_corrupt)
{
	struct blob_key key = stored("12345", 5);
	struct blob *b = NULL;
	struct err e;

	ck_err(blobs_open(store, &key, 4, &b, &e), ERR_CORRUPT);
	ck_err(blobs_open(store, &key, 6, &b, &e), ERR_CORRUPT);
	cut(&key, 0);
	ck_err(blobs_open(store, &key, 5, &b, &e), ERR_CORRUPT);
	ck_assert_int_eq(unlink(file_of(&key)), 0);
	ck_err(blobs_open(store, &key, 5, &b, &e), ERR_CORRUPT);
	ck_assert_ptr_nonnull(strstr(e.text, key.gen));
}
END_TEST

START_TEST(bytes_that_were_loaded_or_are_read_do_not_need_the_file_to_stay_whole)
{
	struct blob_key key = stored("0123456789", 10);
	CLEANUP(blob_unref_p) struct blob *b = NULL;
	CLEANUP(blob_unref_p) struct blob *other = NULL;
	char piece[4];
	struct err e;

	ck_ok(blobs_load(store, &key, 10, &b, &e));
	ck_ok(blobs_read_at(store, &key, 10, 3, piece, sizeof(piece), &e));
	ck_assert_int_eq(memcmp(piece, "3456", 4), 0);
	cut(&key, 5);
	ck_assert_uint_eq(blob_size(b), 10);
	ck_assert_int_eq(memcmp(blob_data(b), "0123456789", 10), 0);
	ck_err(blobs_load(store, &key, 10, &other, &e), ERR_CORRUPT);
	ck_err(blobs_read_at(store, &key, 10, 0, piece, sizeof(piece), &e), ERR_CORRUPT);
	ck_assert_int_eq(unlink(file_of(&key)), 0);
	ck_err(blobs_load(store, &key, 10, &other, &e), ERR_CORRUPT);
	ck_assert_ptr_null(other);
}
END_TEST

START_TEST(an_empty_blob_is_loaded)
{
	struct blob_key key = stored("", 0);
	CLEANUP(blob_unref_p) struct blob *b = NULL;
	struct err e;

	ck_ok(blobs_load(store, &key, 0, &b, &e));
	ck_assert_uint_eq(blob_size(b), 0);
}
END_TEST

static size_t mappings_of(const struct blob_key *key)
{
	CLEANUP_FREE char *line = NULL;
	char text[BLOB_KEY_TEXT];
	FILE *maps = fopen("/proc/self/maps", "r");
	size_t cap = 0, n = 0;

	ck_assert_ptr_nonnull(maps);
	while (getline(&line, &cap, maps) >= 0)
		n += strstr(line, blob_key_text(key, text)) != NULL;
	(void)fclose(maps);
	return n;
}

/* A page behind the end of a file cannot be read; the one that the end is in can, as zeros. */
START_TEST(a_file_that_is_cut_while_it_is_mapped_never_ends_in_zeros)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n = 2 * page + 100;
	CLEANUP_FREE uint8_t *bytes = malloc(n);
	CLEANUP(blob_unref_p) struct blob *b = NULL;
	struct blob_key key;
	int ends[2];
	struct err e;

	memset(bytes, 7, n);
	key = stored(bytes, n);
	ck_ok(blobs_open(store, &key, n, &b, &e));
	ck_assert_uint_eq(mappings_of(&key), 1);
	cut(&key, (off_t)(2 * page + 1));
	ck_assert_int_eq(memcmp(blob_data(b), bytes, n), 0);
	cut(&key, (off_t)page);
	ck_assert_int_eq(pipe(ends), 0);
	for (size_t at = page; at < n; at += page) {
		ck_assert_int_eq(write(ends[1], blob_data(b) + at, 100), -1);
		ck_assert_int_eq(errno, EFAULT);
	}
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(removing_is_repeatable_and_readers_keep_their_bytes)
{
	struct blob_key key = stored("bytes", 5);
	struct blob_key keys[2] = {key, key};
	CLEANUP(blob_unref_p) struct blob *b = NULL;
	bool removed[2];
	struct err e;

	ck_ok(blobs_open(store, &key, 5, &b, &e));
	ck_ok(blobs_remove(store, &key, 1, removed, &e));
	ck_assert(removed[0]);
	keys[1].digest.bytes[0] ^= 0xff; /* whose directory was never made */
	memset(removed, 0, sizeof(removed));
	ck_ok(blobs_remove(store, keys, 2, removed, &e));
	ck_assert(removed[0] && removed[1]);
	ck_assert_uint_eq(unit_dir_count("blobs"), 0);
	ck_assert_int_eq(memcmp(blob_data(b), "bytes", 5), 0);
}
END_TEST

START_TEST(a_reader_gives_what_is_asked_for_and_keeps_it)
{
	struct blob_key key = stored("0123456789", 10);
	CLEANUP(blob_reader_close_p) struct blob_reader *b = NULL;
	bool removed[1];
	char part[4];
	struct err e;

	ck_err(blobs_reader_open(store, &key, 9, &b, &e), ERR_CORRUPT);
	ck_ok(blobs_reader_open(store, &key, 10, &b, &e));
	ck_ok(blobs_remove(store, &key, 1, removed, &e));
	ck_ok(blob_reader_read(b, 6, part, 4, &e));
	ck_assert_int_eq(memcmp(part, "6789", 4), 0);
	ck_ok(blob_reader_read(b, 0, part, 4, &e));
	ck_assert_int_eq(memcmp(part, "0123", 4), 0);
	blob_reader_close(take_ptr(b));
	ck_err(blobs_reader_open(store, &key, 10, &b, &e), ERR_CORRUPT);
}
END_TEST

START_TEST(a_reader_of_a_file_that_shrinks_fails)
{
	struct blob_key key = stored("0123456789", 10);
	CLEANUP(blob_reader_close_p) struct blob_reader *b = NULL;
	char part[4];
	struct err e;

	ck_ok(blobs_reader_open(store, &key, 10, &b, &e));
	cut(&key, 8);
	ck_err(blob_reader_read(b, 6, part, 4, &e), ERR_CORRUPT);
	ck_assert_ptr_nonnull(strstr(e.text, key.gen));
}
END_TEST

START_TEST(a_key_that_resists_does_not_keep_the_others)
{
	struct blob_key keys[3] = {stored("1", 1), stored("2", 1), stored("3", 1)};
	bool removed[3];
	struct err e;

	ck_assert_int_eq(unlink(file_of(&keys[1])), 0);
	ck_assert_int_eq(mkdir(file_of(&keys[1]), 0700), 0);
	ck_err(blobs_remove(store, keys, 3, removed, &e), ERR_IO_FAILED);
	ck_assert_ptr_nonnull(strstr(e.text, keys[1].gen));
	ck_assert(removed[0] && !removed[1] && removed[2]);
	ck_assert_uint_eq(unit_dir_count("blobs"), 0);
	ck_assert_int_eq(rmdir(file_of(&keys[1])), 0);
}
END_TEST

START_TEST(many_writers_are_sealed_together)
{
	struct blob_writer *w[40];
	struct blob_key key;
	struct digest d;
	struct err e;

	for (size_t i = 0; i < ARRAY_SIZE(w); i++)
		w[i] = written(&i, sizeof(i), &d);
	ck_ok(blobs_seal(store, w, 2, &e));
	ck_ok(blobs_seal(store, w, ARRAY_SIZE(w), &e));
	ck_ok(blobs_seal(store, w, ARRAY_SIZE(w), &e));
	ck_ok(blob_key_fresh(&d, &key, &e));
	ck_ok(blob_writer_link(w[ARRAY_SIZE(w) - 1], &key, &e));
	for (size_t i = 0; i < ARRAY_SIZE(w); i++)
		blob_writer_free(w[i]);
	ck_assert_uint_eq(unit_dir_count("blobs"), 1);
}
END_TEST

START_TEST(many_keys_are_synced_together)
{
	struct blob_key keys[300];
	struct err e;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		keys[i] = stored(&i, sizeof(i));
	ck_ok(blobs_sync(store, keys, ARRAY_SIZE(keys), &e));
	ck_ok(blobs_sync(store, keys, 0, &e));
	ck_assert_uint_eq(unit_dir_count("blobs"), ARRAY_SIZE(keys));
}
END_TEST

START_TEST(syncing_a_name_that_was_never_made_fails)
{
	struct blob_key key = {.gen = "0123456789abcdef"};
	struct err e;

	ck_err(blobs_sync(store, &key, 1, &e), ERR_IO_FAILED);
}
END_TEST

START_TEST(temporaries_of_a_dead_process_are_swept)
{
	struct digest d;
	struct err e;
	size_t removed = 0;
	struct blob_writer *a = written(larger, sizeof(larger), &d);
	struct blob_writer *b = written(larger, sizeof(larger), &d);

	ck_ok(blobs_sweep_temporary(store, &removed, &e));
	ck_assert_uint_eq(removed, 2);
	ck_assert_uint_eq(unit_dir_count("tmp"), 0);
	blob_writer_free(a);
	blob_writer_free(b);
	ck_ok(blobs_sweep_temporary(store, &removed, &e));
	ck_assert_uint_eq(removed, 0);
}
END_TEST

START_TEST(a_failed_write_sticks)
{
	CLEANUP(blob_writer_free_p) struct blob_writer *w = NULL;
	CLEANUP_FREE uint8_t *bytes = calloc(1, BLOB_WRITE_BUFFER);
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct rlimit before;
	struct rlimit small = {.rlim_cur = BLOB_WRITE_BUFFER / 2};
	struct digest d;
	uint64_t size;
	struct err e;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	small.rlim_max = before.rlim_max;
	ck_assert_int_eq(sigaction(SIGXFSZ, &ignore, NULL), 0);
	ck_ok(blobs_create(store, &w, &e));
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	ck_err(blob_writer_write(w, bytes, BLOB_WRITE_BUFFER, &e), ERR_STORAGE_FULL);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	ck_err(blob_writer_write(w, "x", 1, &e), ERR_STORAGE_FULL);
	ck_err(blob_writer_finish(w, &d, &size, &e), ERR_STORAGE_FULL);
}
END_TEST

START_TEST(free_space_is_known)
{
	uint64_t bytes = 0;
	struct err e;

	ck_ok(blobs_free_space(store, &bytes, &e));
	ck_assert_uint_gt(bytes, 0);
}
END_TEST

static void *ref_and_unref(void *arg)
{
	struct blob *b = arg;

	for (int i = 0; i < 20000; i++) {
		blob_ref(b);
		blob_unref(b);
	}
	return NULL;
}

START_TEST(references_are_counted_across_threads)
{
	struct blob_key key = stored("shared", 6);
	struct blob *b;
	pthread_t threads[2];
	struct err e;

	ck_ok(blobs_open(store, &key, 6, &b, &e));
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, ref_and_unref, b), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_int_eq(memcmp(blob_data(b), "shared", 6), 0);
	blob_unref(b);
}
END_TEST

START_TEST(a_store_has_one_daemon)
{
	CLEANUP_FD int first = -1;
	int second = -1;
	struct err e;

	ck_ok(storelock_take(unit_dir_path, &first, &e));
	ck_err(storelock_take(unit_dir_path, &second, &e), ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(e.text, "another modeld uses this store"));
	close_fd_p(&first);
	ck_ok(storelock_take(unit_dir_path, &second, &e));
	close_fd_p(&second);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("blobs");
	TCase *t = tcase_create("blobs");

	tcase_add_checked_fixture(t, open_store, close_store);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, keys_are_read_back_and_fresh_ones_differ);
	tcase_add_test(t, bytes_come_back_from_the_layout_that_the_header_promises);
	tcase_add_loop_test(t, pieces_of_any_size_make_the_same_blob, 0, 6);
	tcase_add_test(t, small_and_large_pieces_in_turn_make_the_same_blob);
	tcase_add_test(t, an_empty_blob_has_no_bytes);
	tcase_add_test(t, a_link_never_replaces);
	tcase_add_test(t, a_writer_that_is_dropped_leaves_nothing);
	tcase_add_test(t, a_small_file_touches_the_disk_when_it_is_sealed);
	tcase_add_test(t, small_files_take_bounded_memory);
	tcase_add_test(t, a_missing_or_resized_file_is_corrupt);
	tcase_add_test(t, bytes_that_were_loaded_or_are_read_do_not_need_the_file_to_stay_whole);
	tcase_add_test(t, an_empty_blob_is_loaded);
	tcase_add_test(t, a_file_that_is_cut_while_it_is_mapped_never_ends_in_zeros);
	tcase_add_test(t, removing_is_repeatable_and_readers_keep_their_bytes);
	tcase_add_test(t, a_reader_gives_what_is_asked_for_and_keeps_it);
	tcase_add_test(t, a_reader_of_a_file_that_shrinks_fails);
	tcase_add_test(t, a_key_that_resists_does_not_keep_the_others);
	tcase_add_test(t, many_writers_are_sealed_together);
	tcase_add_test(t, many_keys_are_synced_together);
	tcase_add_test(t, syncing_a_name_that_was_never_made_fails);
	tcase_add_test(t, temporaries_of_a_dead_process_are_swept);
	tcase_add_test(t, a_failed_write_sticks);
	tcase_add_test(t, free_space_is_known);
	tcase_add_test(t, references_are_counted_across_threads);
	tcase_add_test(t, a_store_has_one_daemon);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN
