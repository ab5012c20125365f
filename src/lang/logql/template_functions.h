/* What templates may call beside Go's own: Loki's functions. The run's ctx is the line. */
#ifndef LANG_LOGQL_TEMPLATE_FUNCTIONS_H
#define LANG_LOGQL_TEMPLATE_FUNCTIONS_H

#include "lang/logql/line.h"
#include "text/template/template.h"

extern const struct text_template_function logql__functions[];
extern const size_t logql__function_count;

#define LOGQL__FUNCTION(name)                                                                      \
    int name(struct text_template_call *call, const struct text_template_value *a, size_t n,       \
             struct text_template_value *out, struct diag *diag)

/* template_time.c */
LOGQL__FUNCTION(logql__unix_epoch);
LOGQL__FUNCTION(logql__unix_epoch_millis);
LOGQL__FUNCTION(logql__unix_epoch_nanos);
LOGQL__FUNCTION(logql__unix_to_time);
LOGQL__FUNCTION(logql__to_date);
LOGQL__FUNCTION(logql__to_date_in_zone);
LOGQL__FUNCTION(logql__date);
LOGQL__FUNCTION(logql__now);
LOGQL__FUNCTION(logql__timestamp);
/* template_math.c */
LOGQL__FUNCTION(logql__int);
LOGQL__FUNCTION(logql__float64);
LOGQL__FUNCTION(logql__add);
LOGQL__FUNCTION(logql__sub);
LOGQL__FUNCTION(logql__mul);
LOGQL__FUNCTION(logql__div);
LOGQL__FUNCTION(logql__mod);
LOGQL__FUNCTION(logql__addf);
LOGQL__FUNCTION(logql__subf);
LOGQL__FUNCTION(logql__mulf);
LOGQL__FUNCTION(logql__divf);
LOGQL__FUNCTION(logql__max);
LOGQL__FUNCTION(logql__min);
LOGQL__FUNCTION(logql__maxf);
LOGQL__FUNCTION(logql__minf);
LOGQL__FUNCTION(logql__ceil);
LOGQL__FUNCTION(logql__floor);
LOGQL__FUNCTION(logql__round);

/* Numbers out of anything, 0 when it is none, as sprig has it. */
int64_t logql__to_int(const struct text_template_value *v);
double logql__to_float(const struct text_template_value *v);

#endif
