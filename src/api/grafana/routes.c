/* Grafana's paths on the main door. */
#include "api/grafana/routes.h"

#define CHANGES (API_POST | API_PUT | API_PATCH | API_DELETE)
#define ANY     (API_GET | CHANGES)

/* All but queries answer while the log is still read: the catalogue is there before the doors. */
#define EARLY true

/* clang-format off */
const struct api_route grafana__routes[] = {
    {API_GET, "/api/health", grafana__health, EARLY},
    {API_GET, "/api/login/ping", grafana__login_ping, EARLY},
    {API_GET, "/api/frontend/settings", grafana__frontend_settings, EARLY},
    {API_GET, "/api/user", grafana__user, EARLY},
    {API_GET, "/api/user/orgs", grafana__user_orgs, EARLY},
    {API_GET, "/api/user/stars", grafana__star_list, EARLY},
    {API_POST, "/api/user/stars/dashboard/uid/:uid", grafana__star_add, EARLY},
    {API_DELETE, "/api/user/stars/dashboard/uid/:uid", grafana__star_remove, EARLY},
    {API_GET, "/api/user/preferences", grafana__preferences_get, EARLY},
    {API_PUT, "/api/user/preferences", grafana__preferences_put, EARLY},
    {API_PATCH, "/api/user/preferences", grafana__preferences_patch, EARLY},
    {API_GET, "/api/org", grafana__org, EARLY},
    {API_GET, "/api/org/preferences", grafana__preferences_get, EARLY},
    {API_PUT, "/api/org/preferences", grafana__preferences_put, EARLY},
    {API_PATCH, "/api/org/preferences", grafana__preferences_patch, EARLY},
    {API_GET, "/api/orgs", grafana__org_list, EARLY},
    {API_GET, "/api/orgs/:id", grafana__org_get, EARLY},
    {API_GET, "/api/orgs/name/:name", grafana__org_get, EARLY},

    {API_GET, "/api/search", grafana__search, EARLY},
    {API_POST, "/api/dashboards/db", grafana__dashboard_save, EARLY},
    {API_POST, "/api/dashboards/import", grafana__dashboard_import, EARLY},
    {API_GET, "/api/dashboards/home", grafana__dashboard_home, EARLY},
    {API_GET, "/api/dashboards/tags", grafana__dashboard_tags, EARLY},
    {API_GET, "/api/dashboards/uid/:uid", grafana__dashboard_get, EARLY},
    {API_DELETE, "/api/dashboards/uid/:uid", grafana__dashboard_delete, EARLY},
    {API_GET, "/api/dashboards/uid/:uid/versions", grafana__versions_list, EARLY},
    {API_GET, "/api/dashboards/uid/:uid/versions/:version", grafana__version_get, EARLY},
    {API_POST, "/api/dashboards/uid/:uid/restore", grafana__version_restore, EARLY},
    {API_GET, "/api/dashboards/uid/:uid/permissions", grafana__permissions_list, EARLY},

    {API_GET, "/api/folders", grafana__folder_list, EARLY},
    {API_POST, "/api/folders", grafana__folder_create, EARLY},
    {API_GET, "/api/folders/:uid", grafana__folder_get, EARLY},
    {API_PUT, "/api/folders/:uid", grafana__folder_change, EARLY},
    {API_DELETE, "/api/folders/:uid", grafana__folder_delete, EARLY},
    {API_GET, "/api/folders/id/:id", grafana__folder_get_id, EARLY},
    {API_POST, "/api/folders/:uid/move", grafana__folder_move, EARLY},
    {API_GET, "/api/folders/:uid/counts", grafana__folder_counts, EARLY},
    {API_GET, "/api/folders/:uid/permissions", grafana__permissions_list, EARLY},

    {API_GET, "/api/annotations", grafana__annotation_find, EARLY},
    {API_POST, "/api/annotations", grafana__annotation_add, EARLY},
    {API_GET, "/api/annotations/tags", grafana__annotation_tags, EARLY},
    {API_POST, "/api/annotations/graphite", grafana__annotation_graphite, EARLY},
    {API_POST, "/api/annotations/mass-delete", grafana__annotation_mass_delete, EARLY},
    {API_GET, "/api/annotations/:id", grafana__annotation_get, EARLY},
    {API_PUT, "/api/annotations/:id", grafana__annotation_put, EARLY},
    {API_PATCH, "/api/annotations/:id", grafana__annotation_patch, EARLY},
    {API_DELETE, "/api/annotations/:id", grafana__annotation_delete, EARLY},

    {API_POST, "/api/snapshots", grafana__snapshot_create, EARLY},
    {API_GET, "/api/snapshots/:key", grafana__snapshot_get, EARLY},
    {API_DELETE, "/api/snapshots/:key", grafana__snapshot_delete, EARLY},
    {API_DELETE, "/api/snapshots-delete/:key", grafana__snapshot_delete_key, EARLY},
    {API_GET, "/api/dashboard/snapshots", grafana__snapshot_list, EARLY},
    {API_GET, "/api/playlists", grafana__playlist_list, EARLY},
    {API_POST, "/api/playlists", grafana__playlist_create, EARLY},
    {API_GET, "/api/playlists/:uid", grafana__playlist_get, EARLY},
    {API_PUT, "/api/playlists/:uid", grafana__playlist_put, EARLY},
    {API_DELETE, "/api/playlists/:uid", grafana__playlist_delete, EARLY},
    {API_GET, "/api/playlists/:uid/items", grafana__playlist_items, EARLY},

    {API_GET, "/api/dashboards/uid/:uid/public-dashboards", grafana__public_get, EARLY},
    {API_POST, "/api/dashboards/uid/:uid/public-dashboards", grafana__public_create, EARLY},
    {API_PATCH, "/api/dashboards/uid/:uid/public-dashboards/:link", grafana__public_change, EARLY},
    {API_DELETE, "/api/dashboards/uid/:uid/public-dashboards/:link", grafana__public_delete, EARLY},
    {API_GET, "/api/dashboards/public-dashboards", grafana__public_list, EARLY},
    {API_GET, "/api/public/dashboards/:token", grafana__public_view, EARLY},
    {API_POST, "/api/public/dashboards/:token/panels/:panel/query", grafana__public_query},

    {API_POST, "/api/ds/query", grafana__ds_query},
    {API_GET, "/api/datasources", grafana__source_list, EARLY},
    {API_POST, "/api/datasources", grafana__source_fixed, EARLY},
    {API_GET, "/api/datasources/:id", grafana__source_get, EARLY},
    {API_GET, "/api/datasources/uid/:uid", grafana__source_get, EARLY},
    {API_PUT | API_DELETE, "/api/datasources/uid/:uid", grafana__source_fixed, EARLY},
    {API_GET, "/api/datasources/name/:name", grafana__source_get, EARLY},
    {API_DELETE, "/api/datasources/name/:name", grafana__source_fixed, EARLY},
    {API_GET, "/api/datasources/id/:name", grafana__source_id, EARLY},
    {API_GET, "/api/datasources/uid/:uid/health", grafana__source_health, EARLY},
    {API_GET | API_POST, "/api/datasources/uid/:uid/resources/*", grafana__source_resource},
    {ANY, "/api/datasources/proxy/uid/:uid/*", grafana__source_proxy},
};
/* clang-format on */
const size_t grafana__route_count = ARRAY_LEN(grafana__routes);
