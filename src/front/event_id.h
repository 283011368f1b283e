/*
 * The ids of events on streams that can be resumed, as text that a client gives back in Last-Event-ID:
 *
 *	STREAM.SEQ.CALL      9f86d081884c7d65.12.MQ
 *
 * STREAM is a random number, so that no two streams of any process have the same one. SEQ counts its events from 0 and
 * ends in "e" when nothing comes after that one. CALL is the JSON-RPC id of the request that the stream answers, in
 * base64url, so that a process that has never seen the stream can still tell the client that its call is lost; it is
 * empty on streams that answer none. An id says nothing that its client does not know, and gives access to nothing:
 * whose stream it is, is the keeper's to check. Pure.
 */
#ifndef SLUICE_FRONT_EVENT_ID_H
#define SLUICE_FRONT_EVENT_ID_H

#include "base/buf.h"

#define EVENT_CALL_MAX 256 /* bytes of the id of a request whose reply can be resumed */

struct event_id {
	uint64_t stream, seq;
	bool last;
	struct span call; /* in base64url, as it stands in the text; may be empty */
};

void event_id_put(struct buf *out, const struct event_id *id);

/* False for any other text. `call` points into `text`, and is of the right alphabet only. */
bool event_id_parse(struct span text, struct event_id *id);

/* Appends the JSON of the request's id: a string or a number, whole. False when it names none. */
bool event_id_call(const struct event_id *id, struct buf *json);

#endif
