/* Grafana's HTTP API, as far as Terraform's provider, grafanactl and scripts use it. */
#ifndef API_GRAFANA_ROUTES_H
#define API_GRAFANA_ROUTES_H

#include "api/router.h"

/* Every handler: void grafana__NAME(struct api_call *call). */
/* clang-format off */
#define GRAFANA_HANDLERS(X)                                                                                \
    X(dashboard_get) X(dashboard_home) X(dashboard_save) X(dashboard_delete) X(dashboard_tags)     \
    X(dashboard_import) X(versions_list) X(version_get) X(version_restore) X(star_add)             \
    X(star_remove) X(star_list) X(search) X(folder_list) X(folder_create) X(folder_change)         \
    X(folder_move) X(folder_get) X(folder_get_id) X(folder_delete) X(folder_counts)                \
    X(permissions_list) X(annotation_find) X(annotation_add) X(annotation_graphite)                \
    X(annotation_get) X(annotation_put) X(annotation_patch) X(annotation_delete)                   \
    X(annotation_mass_delete) X(annotation_tags) X(snapshot_create) X(snapshot_get)                \
    X(snapshot_list) X(snapshot_delete) X(snapshot_delete_key) X(playlist_list) X(playlist_get)    \
    X(playlist_items) X(playlist_create) X(playlist_put) X(playlist_delete) X(user) X(org)         \
    X(org_list) X(user_orgs) X(org_get) X(login_ping) X(frontend_settings) X(preferences_get)      \
    X(preferences_put) X(preferences_patch) X(source_list) X(source_get) X(source_id)              \
    X(source_health) X(source_fixed) X(source_proxy) X(source_resource) X(health) X(ds_query) X(public_get) X(public_create)                     \
    X(public_change) X(public_delete) X(public_list) X(public_view) X(public_query)                   \
    X(library_list) X(library_get) X(library_by_name) X(library_create) X(library_change)          \
    X(library_delete) X(apis_core) X(apis_groups) X(apis_group) X(apis_resources) X(apis_dashboard_list) X(apis_dashboard_get)    \
    X(apis_dashboard_dto) X(apis_dashboard_create) X(apis_dashboard_update)                        \
    X(apis_dashboard_delete) X(apis_folder_list) X(apis_folder_get) X(apis_folder_create)          \
    X(apis_folder_update) X(apis_folder_delete) X(apis_dashboard_patch) X(apis_folder_patch) X(user_list) X(user_search) X(user_find)           \
    X(org_users) X(team_search) X(team_get) X(user_teams) X(account_search) X(account_get)         \
    X(people_fixed) X(permissions_fixed) X(user_permissions) X(user_actions)                        \
    X(resource_permissions)
/* clang-format on */
#define GRAFANA_DECLARE(name) void grafana__##name(struct api_call *call);
GRAFANA_HANDLERS(GRAFANA_DECLARE)

extern const struct api_route grafana__routes[];
extern const size_t grafana__route_count;

#endif
