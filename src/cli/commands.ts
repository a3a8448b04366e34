import { CATALOG_COMMANDS } from './catalog-commands.ts'
import type { Command } from './command.ts'
import { COORDINATION_COMMANDS } from './coordination-commands.ts'
import { FILES_COMMANDS } from './files-commands.ts'
import { PROFILE_COMMANDS } from './profile-commands.ts'
import { PROXY_COMMANDS } from './proxy-commands.ts'
import { ROLLOUT_COMMANDS } from './rollout-commands.ts'
import { STORE_COMMANDS } from './store-commands.ts'
import { TOKEN_COMMANDS } from './token-commands.ts'

export interface Entry {
  /** One to three words. */
  readonly name: string
  readonly group: Group
  readonly summary: string
  /** Each command is a file of its own, read only when it is needed: help and completion start fast. */
  readonly load: () => Promise<Command>
}

export type Group = (typeof GROUPS)[number]

export const GROUPS = ['Start', 'Look', 'Change', 'Work together', 'Write and check', 'Access', 'Help'] as const

/** Every command there is. Help, completion and docs/reference/cli.md are made from this table. */
export const COMMANDS: readonly Entry[] = [
  {
    name: 'up',
    group: 'Start',
    summary: 'start a hub here and print how nodes join it',
    load: async () => (await import('./commands/up.ts')).up,
  },
  {
    name: 'join',
    group: 'Start',
    summary: 'make this server a node of a hub, and run its agent',
    load: async () => (await import('./commands/join.ts')).join,
  },
  {
    name: 'hub',
    group: 'Start',
    summary: 'run a hub as a service',
    load: async () => (await import('./commands/hub.ts')).hub,
  },
  {
    name: 'agent',
    group: 'Start',
    summary: 'run the agent of a node that has joined',
    load: async () => (await import('./commands/agent.ts')).agent,
  },
  {
    name: 'adopt',
    group: 'Start',
    summary: 'look at ERDDAPs or GeoServers that are there, and say how to take them in; writes nothing',
    load: async () => (await import('./commands/adopt.ts')).adopt,
  },
  {
    name: 'adopt erddaputil',
    group: 'Start',
    summary: 'turn the settings of ERDDAPUtil into configuration; writes nothing',
    load: async () => (await import('./commands/adopt-erddaputil.ts')).adoptErddaputil,
  },
  {
    name: 'status',
    group: 'Look',
    summary: 'say whether every node serves the current release',
    load: async () => (await import('./commands/status.ts')).status,
  },
  {
    name: 'nodes',
    group: 'Look',
    summary: 'list the nodes',
    load: async () => (await import('./commands/nodes.ts')).nodes,
  },
  {
    name: 'nodes forget',
    group: 'Access',
    summary: 'remove a node and end its credential',
    load: async () => (await import('./commands/nodes-forget.ts')).nodesForget,
  },
  {
    name: 'why',
    group: 'Look',
    summary: 'explain the state of one dataset: where from, since when, node by node',
    load: async () => (await import('./commands/why.ts')).why,
  },
  {
    name: 'history',
    group: 'Look',
    summary: 'list the releases, newest first',
    load: async () => (await import('./commands/history.ts')).history,
  },
  {
    name: 'rollback',
    group: 'Change',
    summary: 'go back to an earlier release',
    load: async () => (await import('./commands/rollback.ts')).rollback,
  },
  ...ROLLOUT_COMMANDS,
  {
    name: 'datasets release',
    group: 'Change',
    summary: 'check a folder and make it what every node serves',
    load: async () => (await import('./commands/datasets-release.ts')).datasetsRelease,
  },
  {
    name: 'datasets rescan',
    group: 'Change',
    summary: 'release now what stands in the folder that the hub follows',
    load: async () => (await import('./commands/datasets-rescan.ts')).datasetsRescan,
  },
  {
    name: 'datasets reload',
    group: 'Change',
    summary: 'ask every node to load datasets again',
    load: async () => (await import('./commands/datasets-reload.ts')).datasetsReload,
  },
  {
    name: 'datasets activate',
    group: 'Change',
    summary: 'switch a dataset on, over what its fragment says',
    load: async () => (await import('./commands/datasets-activate.ts')).datasetsActivate,
  },
  {
    name: 'datasets deactivate',
    group: 'Change',
    summary: 'switch a dataset off, over what its fragment says',
    load: async () => (await import('./commands/datasets-activate.ts')).datasetsDeactivate,
  },
  {
    name: 'datasets clear-cache',
    group: 'Change',
    summary: 'ask every node to clear cached files',
    load: async () => (await import('./commands/datasets-clear-cache.ts')).datasetsClearCache,
  },
  {
    name: 'datasets flush-logs',
    group: 'Change',
    summary: 'ask every ERDDAP to write out its log',
    load: async () => (await import('./commands/datasets-flush-logs.ts')).datasetsFlushLogs,
  },
  {
    name: 'block ip',
    group: 'Change',
    summary: 'let every ERDDAP refuse addresses',
    load: async () => (await import('./commands/lists.ts')).blockIp,
  },
  {
    name: 'block email',
    group: 'Change',
    summary: 'let every ERDDAP refuse e-mail addresses for subscriptions',
    load: async () => (await import('./commands/lists.ts')).blockEmail,
  },
  {
    name: 'block list',
    group: 'Look',
    summary: 'list what is blocked, and who is not limited',
    load: async () => (await import('./commands/lists.ts')).blockList,
  },
  {
    name: 'unblock ip',
    group: 'Change',
    summary: 'end what `block ip` began',
    load: async () => (await import('./commands/lists.ts')).unblockIp,
  },
  {
    name: 'unblock email',
    group: 'Change',
    summary: 'end what `block email` began',
    load: async () => (await import('./commands/lists.ts')).unblockEmail,
  },
  {
    name: 'allow-unlimited',
    group: 'Change',
    summary: 'let addresses send every ERDDAP any number of requests at once',
    load: async () => (await import('./commands/lists.ts')).allowUnlimited,
  },
  {
    name: 'remove-unlimited',
    group: 'Change',
    summary: 'end what `allow-unlimited` began',
    load: async () => (await import('./commands/lists.ts')).removeUnlimited,
  },
  {
    name: 'datasets check',
    group: 'Write and check',
    summary: 'check a folder, with file, line and column; needs no hub',
    load: async () => (await import('./commands/datasets-check.ts')).datasetsCheck,
  },
  {
    name: 'datasets compile',
    group: 'Write and check',
    summary: 'write one datasets.xml from a folder; needs no hub',
    load: async () => (await import('./commands/datasets-compile.ts')).datasetsCompile,
  },
  {
    name: 'datasets list',
    group: 'Write and check',
    summary: 'list the datasets of a folder or of a release',
    load: async () => (await import('./commands/datasets-list.ts')).datasetsList,
  },
  {
    name: 'datasets diff',
    group: 'Write and check',
    summary: 'show what differs between two releases, or a folder and the current one',
    load: async () => (await import('./commands/datasets-diff.ts')).datasetsDiff,
  },
  {
    name: 'datasets plan',
    group: 'Write and check',
    summary: 'say what a release of a folder would do; changes nothing',
    load: async () => (await import('./commands/datasets-plan.ts')).datasetsPlan,
  },
  ...CATALOG_COMMANDS,
  ...FILES_COMMANDS,
  {
    name: 'sync',
    group: 'Change',
    summary: 'keep a folder in step with a node, an Open-Meteo server, S3 or another folder',
    load: async () => (await import('./commands/sync.ts')).sync,
  },
  ...PROFILE_COMMANDS,
  ...COORDINATION_COMMANDS,
  {
    name: 'render',
    group: 'Write and check',
    summary: 'make a file of a template, from profiles and facts',
    load: async () => (await import('./commands/render.ts')).render,
  },
  ...PROXY_COMMANDS,
  ...TOKEN_COMMANDS,
  ...STORE_COMMANDS,
  {
    name: 'doctor',
    group: 'Help',
    summary: 'look for what is wrong, with the fix for each finding',
    load: async () => (await import('./commands/doctor.ts')).doctor,
  },
  {
    name: 'config check',
    group: 'Help',
    summary: 'check a configuration file',
    load: async () => (await import('./commands/config-check.ts')).configCheck,
  },
  {
    name: 'config show',
    group: 'Help',
    summary: 'show every setting and where its value comes from',
    load: async () => (await import('./commands/config-show.ts')).configShow,
  },
  {
    name: 'completion',
    group: 'Help',
    summary: 'print the completion script for a shell',
    load: async () => (await import('./commands/completion.ts')).completion,
  },
  {
    name: 'version',
    group: 'Help',
    summary: 'print the version',
    load: async () => (await import('./commands/version.ts')).version,
  },
]
