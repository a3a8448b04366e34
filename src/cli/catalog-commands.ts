import type { Entry } from './commands.ts'

/** The part of the table that is about GeoServer. */
export const CATALOG_COMMANDS: readonly Entry[] = [
  {
    name: 'catalog provision',
    group: 'Start',
    summary: 'make the data directory of a new node, of what is released, with the keystore of another',
    load: async () => (await import('./commands/catalog-provision.ts')).catalogProvision,
  },
  {
    name: 'catalog share-keystore',
    group: 'Access',
    summary: 'give the keystore of this GeoServer to a node that asks for it',
    load: async () => (await import('./commands/catalog-share-keystore.ts')).catalogShareKeystore,
  },
  {
    name: 'catalog status',
    group: 'Look',
    summary: 'say how each GeoServer stands to the release, and what was changed there',
    load: async () => (await import('./commands/catalog-status.ts')).catalogStatus,
  },
  {
    name: 'catalog diff',
    group: 'Look',
    summary: 'show what differs between the release and a node, or between releases, line by line',
    load: async () => (await import('./commands/catalog-diff.ts')).catalogDiff,
  },
  {
    name: 'catalog why',
    group: 'Look',
    summary: 'explain one layer: who changed it, what it needs and reads, node by node',
    load: async () => (await import('./commands/catalog-why.ts')).catalogWhy,
  },
  {
    name: 'catalog kept',
    group: 'Look',
    summary: 'list what was overwritten on a node and is kept; print one of it',
    load: async () => (await import('./commands/catalog-kept.ts')).catalogKept,
  },
  {
    name: 'catalog plan',
    group: 'Write and check',
    summary: 'say what each GeoServer will do, and how; changes nothing',
    load: async () => (await import('./commands/catalog-plan.ts')).catalogPlan,
  },
  {
    name: 'catalog apply',
    group: 'Change',
    summary: 'release a data directory; or let nodes take over what only they have',
    load: async () => (await import('./commands/catalog-apply.ts')).catalogApply,
  },
  {
    name: 'catalog adopt',
    group: 'Change',
    summary: 'make what was changed on a node a part of the next release',
    load: async () => (await import('./commands/catalog-decide.ts')).catalogAdopt,
  },
  {
    name: 'catalog revert',
    group: 'Change',
    summary: 'undo what was changed on a node; it is kept',
    load: async () => (await import('./commands/catalog-decide.ts')).catalogRevert,
  },
  {
    name: 'catalog reload',
    group: 'Change',
    summary: 'have every GeoServer read its catalog anew, one after the other, drained',
    load: async () => (await import('./commands/catalog-reload.ts')).catalogReload,
  },
  {
    name: 'catalog truncate',
    group: 'Change',
    summary: 'drop the tiles of layers on every node',
    load: async () => (await import('./commands/catalog-truncate.ts')).catalogTruncate,
  },
]
