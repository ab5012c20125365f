/* OTLP's routes that other doors have too. */
#ifndef API_OTLP_HTTP_H
#define API_OTLP_HTTP_H

struct api_call;

/* POST of an ExportMetricsServiceRequest. */
void api__otlp_metrics(struct api_call *call);
/* POST of an ExportLogsServiceRequest. */
void api__otlp_logs(struct api_call *call);
/* GET of a trace by its id: OTLP's TracesData, in protobuf where Accept asks for it, else JSON. */
void api__otlp_trace(struct api_call *call);

#endif
