/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api.h"

const struct router_row api_routes[] = {
	{METHOD_GET,               "/models/{name+}/model.json",            &api_files         },
	{METHOD_GET,               "/models/{ref@}/{path*}",                &api_files         },
	{METHOD_GET,               "/models/{ref@}",                        &api_named_version },
	{METHOD_GET,               "/models/{name+}",                       &api_named         },
	{METHOD_POST | METHOD_PUT, "/models/{name+}",                       &api_publish       },

	{METHOD_GET,               "/v1/models",                            &api_models_list   },
	{METHOD_GET,               "/v1/models/{name+}/versions",           &api_models_show   },
	{METHOD_POST,              "/v1/models/{name+}/versions",           &api_publish       },
	{METHOD_GET,               "/v1/models/{name+}/versions/{version}/tensors", &api_tensors},
	{METHOD_GET,               "/v1/models/{name+}/versions/{version}", &api_describe      },
	{METHOD_DELETE,            "/v1/models/{name+}/versions/{version}", &api_delete_version},
	{METHOD_GET,               "/v1/models/{name+}/labels",             &api_labels_list   },
	{METHOD_GET,               "/v1/models/{name+}/labels/{label}",     &api_labels_show   },
	{METHOD_PUT,               "/v1/models/{name+}/labels/{label}",     &api_labels_move   },
	{METHOD_DELETE,            "/v1/models/{name+}/labels/{label}",     &api_labels_drop   },
	{METHOD_GET, "/v1/models/{name+}/labels/{label}/history",           &api_labels_history},
	{METHOD_GET, "/v1/models/{name+}/labels/{label}/metadata",          &api_labels_metadata},
	{METHOD_GET,               "/v1/models/{name+}/versions/{version}/metadata", &api_metadata},
	{METHOD_GET,               "/v1/models/{name+}/metadata",           &api_metadata      },
	{METHOD_GET,               "/v1/models/{name+}/rejections",         &api_rejections    },
	{METHOD_GET,               "/v1/models/{name+}",                    &api_models_show   },
	{METHOD_DELETE,            "/v1/models/{name+}",                    &api_delete_model  },

	{METHOD_POST,              "/v1/models/{name+}:import",             &api_import        },
	{METHOD_GET,               "/v1/jobs",                              &api_jobs_list     },
	{METHOD_GET,               "/v1/jobs/{id}",                         &api_jobs_show     },
	{METHOD_DELETE,            "/v1/jobs/{id}",                         &api_jobs_cancel   },

	{METHOD_POST,              "/v1/uploads",                           &api_uploads_create},
	{METHOD_GET,               "/v1/uploads/{id}",                      &api_uploads_show  },
	{METHOD_DELETE,            "/v1/uploads/{id}",                      &api_uploads_drop  },
	{METHOD_POST,              "/v1/uploads/{id}:publish",              &api_uploads_publish},
	{METHOD_GET,    "/v1/uploads/{id}/files/{path*}",               &api_upload_files_look},
	{METHOD_PUT,    "/v1/uploads/{id}/files/{path*}",               &api_upload_files_put},
	{METHOD_PATCH,  "/v1/uploads/{id}/files/{path*}",               &api_upload_files_patch},
	{METHOD_DELETE, "/v1/uploads/{id}/files/{path*}",               &api_upload_files_remove},

	{METHOD_GET,               "/v1/tokens",                            &api_tokens_list   },
	{METHOD_POST,              "/v1/tokens",                            &api_tokens_create },
	{METHOD_GET,               "/v1/tokens/{id}",                       &api_tokens_show   },
	{METHOD_DELETE,            "/v1/tokens/{id}",                       &api_tokens_revoke },
	{METHOD_GET,               "/v1/audit",                             &api_audit         },
	{METHOD_POST,              "/v1/links",                             &api_links         },

	{METHOD_GET,               "/v1/openapi.json",                      &api_openapi       },
	{METHOD_GET,               "/healthz",                              &api_status_health },
	{METHOD_GET,               "/readyz",                               &api_status_ready  },
	{METHOD_GET,               "/version",                              &api_status_version},
	{METHOD_GET,               "/metrics",                              &api_metrics       },
};

const size_t api_routes_n = ARRAY_SIZE(api_routes);

bool api_routes_quiet(struct str path)
{
	return str_starts(path, "/models/") && !str_ends(path, "/model.json");
}
