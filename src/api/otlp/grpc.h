/* OTLP over gRPC: the three Export methods. */
#ifndef API_OTLP_GRPC_H
#define API_OTLP_GRPC_H

#include "net/grpc.h"

#define API__OTLP_GRPC_COUNT 4
extern const struct net_grpc_method api__otlp_grpc[API__OTLP_GRPC_COUNT];

#endif
