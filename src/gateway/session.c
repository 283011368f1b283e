#include "gateway/session.h"

#include <assert.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "gateway/session_token.h"
#include "json/scan.h"

#define PURPOSE SPAN("session")
#define SWEEP_MAX 256 /* sessions looked at in one turn of the loop */

/* The last sessions that were ended here, in a ring; the oldest one is forgotten for the newest. */
struct tombstones {
	uint64_t ring[SESSION_TOMBSTONES];
	size_t count; /* ever */
	struct map by_nonce;
};

struct sessions {
	struct session_conf conf;
	struct key_ring *keys;
	struct sched *sched;
	struct map by_token;
	struct list all;
	size_t count;
	struct timer idle;             /* one for all: the first of `all` is the next to be dropped */
	struct tombstones *tombstones; /* made for the first one */
	uint64_t last_local;           /* nonce of those without a token */
	void (*dropped)(void *arg, struct session *session);
	void *dropped_arg;
};

/* At most `most` bytes, and no part of a character. */
static struct span cut_utf8(struct span s, size_t most)
{
	if (s.n <= most)
		return s;
	while (most > 0 && ((unsigned char)s.p[most] & 0xc0) == 0x80)
		most--;
	return span_cut(s, most);
}

void session_set_text(char *text, struct span json)
{
	text_set(text, SESSION_NAME_MAX, json);
}

void text_set(char *text, size_t most, struct span json)
{
	text[0] = '\0';
	if (json_type_of(json) != JSON_STRING)
		return;
	char *room = mem_alloc(json.n);
	struct span s = json_decode(json, room);
	s = cut_utf8(span_cut(s, span_find(s, '\0')), most);
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	free(room);
}

struct sessions *sessions_new(
        const struct session_conf *conf, struct key_ring *keys, struct sched *sched, uint64_t seed)
{
	struct sessions *s = NEW(struct sessions);

	s->conf = *conf;
	s->keys = keys;
	s->sched = sched;
	map_seed(&s->by_token, seed);
	list_init(&s->all);
	return s;
}

static struct session *session_at(struct list *node)
{
	return list_entry(node, struct session, node);
}

static bool is_in_use(const struct session *x)
{
	return !span_is_set(x->token) || x->call_count > 0 || !list_is_empty(&x->pushes) || !list_is_empty(&x->asks);
}

static void drop(struct sessions *s, struct session *x)
{
	if (s->dropped != NULL)
		s->dropped(s->dropped_arg, x);
	if (span_is_set(x->token))
		map_remove(&s->by_token, x->token);
	list_unlink(&x->node);
	s->count--;
	free(x);
}

void sessions_free(struct sessions **sp)
{
	struct sessions *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	s->dropped = NULL;
	list_each (node, &s->all)
		drop(s, session_at(node));
	timer_stop(s->sched, &s->idle);
	if (s->tombstones != NULL)
		map_free(&s->tombstones->by_nonce);
	free(s->tombstones);
	map_free(&s->by_token);
	free(s);
}

void sessions_watch(struct sessions *s, void (*dropped)(void *arg, struct session *session), void *arg)
{
	s->dropped = dropped;
	s->dropped_arg = arg;
}

static void touch(struct sessions *s, struct session *x)
{
	x->used = s->sched->now;
	list_unlink(&x->node);
	list_append(&s->all, &x->node);
}

static mono_t idle_point(const struct sessions *s, const struct session *x)
{
	return mono_add(x->used, s->conf.idle_timeout_ms);
}

static void on_idle(void *arg)
{
	struct sessions *s = arg;

	for (int n = 0; n < SWEEP_MAX && !list_is_empty(&s->all); n++) {
		struct session *x = session_at(list_first(&s->all));
		if (!mono_past(idle_point(s, x), s->sched->now))
			break;
		if (is_in_use(x))
			touch(s, x);
		else
			drop(s, x);
	}
	if (!list_is_empty(&s->all))
		timer_set(s->sched, &s->idle, idle_point(s, session_at(list_first(&s->all))), on_idle, s);
}

/* Drops the session that was not used for longest. Those in use on the way go to the end: they are used now. */
static bool drop_oldest(struct sessions *s)
{
	for (size_t n = s->count; n > 0; n--) {
		struct session *x = session_at(list_first(&s->all));
		if (!is_in_use(x)) {
			drop(s, x);
			return true;
		}
		touch(s, x);
	}
	return false;
}

static bool make_room(struct sessions *s)
{
	while (s->count >= s->conf.max)
		if (!drop_oldest(s))
			return false;
	return true;
}

/* `token` is copied into the session's own memory. */
static struct session *add(struct sessions *s, const struct session_claims *claims, struct span token)
{
	struct session *x = mem_zalloc(sizeof(*x) + token.n);

	x->info = claims->info;
	x->created_ms = claims->created_ms;
	x->nonce = claims->nonce;
	x->level = LEVEL_INFO;
	list_init(&x->calls);
	list_init(&x->pushes);
	list_init(&x->asks);
	subscriber_init(&x->subscriber);
	if (span_is_set(token)) {
		x->token = (struct span){ memcpy(x + 1, token.p, token.n), token.n };
		x->keys = key_ring_generation(s->keys);
		map_put(&s->by_token, x->token, x);
	}
	touch(s, x);
	s->count++;
	if (!timer_is_set(&s->idle))
		timer_set(s->sched, &s->idle, idle_point(s, x), on_idle, s);
	return x;
}

struct session *session_create(struct sessions *s, const struct session_info *info, int64_t wall_ms)
{
	struct session_claims claims = { .info = *info, .created_ms = wall_ms };
	struct buf plain = { 0 }, token = { 0 };
	struct session *x = NULL;

	if (!make_room(s))
		return NULL;
	random_bytes(&claims.nonce, sizeof(claims.nonce));
	session_token_encode(&claims, &plain);
	if (seal(s->keys, PURPOSE, buf_span(&plain), &token))
		x = add(s, &claims, buf_span(&token));
	buf_free(&plain);
	buf_free(&token);
	assert(x == NULL || x->token.n <= SESSION_TOKEN_MAX);
	return x;
}

struct session *session_create_local(struct sessions *s, const struct session_info *info)
{
	return add(s, &(struct session_claims){ .info = *info, .nonce = ++s->last_local }, SPAN_NONE);
}

static bool is_valid(const struct sessions *s, int64_t created_ms, uint64_t nonce, int64_t wall_ms)
{
	if (wall_ms - created_ms >= SESSION_VALID_MS)
		return false;
	return s->tombstones == NULL || map_get_u64(&s->tombstones->by_nonce, nonce) == NULL;
}

static bool open_token(struct sessions *s, struct span token, struct session_claims *claims)
{
	struct buf plain = { 0 };
	bool opened = unseal(s->keys, PURPOSE, token, &plain) && session_token_decode(buf_span(&plain), claims);

	buf_free(&plain);
	return opened;
}

bool session_is_sealed(struct sessions *s, struct session *x)
{
	struct session_claims claims;

	if (!span_is_set(x->token) || x->keys == key_ring_generation(s->keys))
		return true;
	if (!open_token(s, x->token, &claims))
		return false;
	x->keys = key_ring_generation(s->keys);
	return true;
}

static struct session *rebuild(struct sessions *s, struct span token, int64_t wall_ms)
{
	struct session_claims claims;

	if (!open_token(s, token, &claims) || !is_valid(s, claims.created_ms, claims.nonce, wall_ms))
		return NULL;
	make_room(s);
	struct session *x = add(s, &claims, token);
	x->rebuilt = true;
	return x;
}

struct session *session_find(struct sessions *s, struct span token, int64_t wall_ms)
{
	if (token.n > SESSION_TOKEN_MAX)
		return NULL;
	struct session *x = map_get(&s->by_token, token);
	if (x == NULL)
		return rebuild(s, token, wall_ms);
	if (!is_valid(s, x->created_ms, x->nonce, wall_ms) || !session_is_sealed(s, x))
		return NULL;
	touch(s, x);
	return x;
}

static void bury(struct sessions *s, uint64_t nonce)
{
	if (s->tombstones == NULL)
		s->tombstones = NEW(struct tombstones);
	struct tombstones *t = s->tombstones;
	uint64_t *slot = &t->ring[t->count % SESSION_TOMBSTONES];
	if (t->count++ >= SESSION_TOMBSTONES)
		map_remove_u64(&t->by_nonce, *slot);
	*slot = nonce;
	map_put_u64(&t->by_nonce, nonce, slot);
}

void sessions_end(struct sessions *s, struct session **session)
{
	struct session *x = *session;

	*session = NULL;
	assert(x->call_count == 0 && list_is_empty(&x->pushes));
	if (span_is_set(x->token))
		bury(s, x->nonce);
	drop(s, x);
}

struct key_ring *sessions_keys(const struct sessions *s)
{
	return s->keys;
}

size_t sessions_count(const struct sessions *s)
{
	return s->count;
}

struct list *sessions_all(struct sessions *s)
{
	return &s->all;
}
