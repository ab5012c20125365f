/* Syslog messages to log lines: RFC 5424, RFC 3164 and what is sent under its name (an ISO 8601
 * time, a year behind the day, no host, no tag, no priority). Nothing is refused for its form: what
 * cannot be read as a header is part of the line.
 *
 * Labels of the stream: service_name (the app's name or tag, else unknown_service) and host_name
 * (the message's host, else the sender's address). Attributes: facility, procid, msgid, peer (the
 * sender's address where it is not the host), and of structured data "id.param". The level is the
 * severity's. Times without a year get the one that puts them nearest behind the time of receipt,
 * at most a day ahead of it; times without a zone are in `offset_s`. */
#ifndef DECODE_SYSLOG_H
#define DECODE_SYSLOG_H

#include "base/buf.h"
#include "data/event_batch.h"

struct decode_syslog {
    int64_t received_ns;
    int32_t offset_s;  /* east of Greenwich, of times that name no zone */
    struct slice peer; /* the sender's address, without a port; lives as long as the batch's use */
    /* Private; decode_syslog_deinit. */
    struct data_labels_builder labels;
    struct buf text;
};

/* One message, without its frame, as a row of `batch`, which points into it. False, and no row,
 * when it is empty. */
bool decode_syslog_message(struct decode_syslog *d, struct slice message,
                           struct data_event_batch *batch);
void decode_syslog_deinit(struct decode_syslog *d);

enum decode_syslog_frame {
    DECODE_SYSLOG_WHOLE, /* *out_message, and *out_taken bytes are done with */
    DECODE_SYSLOG_MORE,  /* it is not whole yet */
    DECODE_SYSLOG_LARGE  /* counted octets beyond the limit: *out_taken bytes in all are to go */
};
/* The next message of a TCP stream (RFC 6587): counted octets when it begins with a number and a
 * space in front of a '<', else up to the next newline or NUL. `end`: nothing comes behind. */
enum decode_syslog_frame decode_syslog_frame(struct slice bytes, bool end, size_t bytes_max,
                                             struct slice *out_message, size_t *out_taken);

#endif
