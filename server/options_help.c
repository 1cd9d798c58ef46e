/* SPDX-License-Identifier: Apache-2.0 */
#include "server/options_help.h"
#include "common/config/config.h"

void options_help_print(struct buf *out)
{
	buf_add_str(out,
		"modeld serves TensorFlow.js models to browsers and takes them from model.save.\n"
		"\n"
		"  modeld [serve] [OPTION ...]         serve until told to stop\n"
		"  modeld check-config [--changed] [OPTION ...]\n"
		"                                      judge the configuration and print it\n"
		"  modeld rules [--json] [OPTION ...]  print what is checked, and how severely\n"
		"  modeld backup DIR [OPTION ...]      copy the store, or what is new in it\n"
		"  modeld restore DIR [OPTION ...]     make a store of the backup in DIR\n"
		"  modeld fsck [--quick] [OPTION ...]\n"
		"  modeld gc [--grace TIME] [--dry-run] [OPTION ...]\n"
		"                                      remove files that no version holds\n"
		"  modeld scrub [--rate SIZE] [OPTION ...]\n"
		"                                      read all files again\n"
		"  modeld prune [--dry-run] [OPTION ...]\n"
		"                                      delete versions that no rule keeps\n"
		"  modeld audit [--since NUMBER] [--json] [OPTION ...]\n"
		"                                      print who changed what\n"
		"  modeld token create --scope SCOPE[,SCOPE...] [--models PATTERN]\n"
		"                      [--expires TIME] [--name NAME] [OPTION ...]\n"
		"                                      make a token and print it\n"
		"  modeld token list [--json] [OPTION ...]\n"
		"  modeld token revoke ID [OPTION ...]\n"
		"\n"
		"  --listen [tls:]ADDRESS:PORT\n"
		"                          listen there; may be repeated; port 0 takes a free one\n"
		"  --store DIR             keep models there\n"
		"  --port-file FILE        write the port to FILE, once it takes connections\n"
		"  --config FILE           read FILE instead of\n"
		"                          " OPTIONS_HELP_CONFIG "\n"
		"                          and conf.d/*.conf beside it\n"
		"  --set SECTION.KEY=VALUE set any key\n"
		"  --changed               of check-config: print only what was set\n"
		"  --json                  of rules, audit and token list: for programs\n"
		"  --scope, --models, --expires, --name\n"
		"                          of token create: see modeld(8)\n"
		"  --grace TIME            of gc: overrides store.gc_grace; 0 removes all at once\n"
		"  --dry-run               of gc and prune: only say what would go\n"
		"  --rate SIZE             of scrub: so many bytes a second\n"
		"  --quick                 of fsck: names and sizes, without reading the bytes\n"
		"  --since NUMBER          of audit: what was changed after that change\n"
		"  --version               print the version and how it was built\n"
		"  -h, --help              print this\n"
		"\n"
		"Keys, for --set, for the file (as KEY under [SECTION]) and for the environment\n"
		"(as MODELD_SECTION_KEY); the command line wins, then the environment:\n"
		"\n");
	config_print_help(out);
	buf_add_str(out,
		"\n"
		"Try it:  modeld --listen 127.0.0.1:8570 --store ./models\n"
		"Manuals: modeld(8), modeld.conf(5), modeld-rules(7)\n");
}

void options_help_version(struct buf *out)
{
	buf_add_str(out, "modeld " PACKAGE_VERSION "\n"
			 "features:  " MODELD_FEATURES "\n"
			 "compiler:  " MODELD_COMPILER " " __VERSION__ "\n"
			 "libraries: " MODELD_LIBRARIES "\n"
			 "files:     " OPTIONS_HELP_CONFIG ", " MODELD_STATEDIR "\n");
}
