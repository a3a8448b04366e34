import type { Entry } from './commands.ts'

/** The part of the table that is about files: serving them, and looking at who has which. */
export const FILES_COMMANDS: readonly Entry[] = [
  {
    name: 'files serve',
    group: 'Start',
    summary: 'serve folders to S3 clients, Open-Meteo and other nodes; needs no hub',
    load: async () => (await import('./commands/files-serve.ts')).filesServe,
  },
  {
    name: 'files nginx',
    group: 'Start',
    summary: 'print a configuration by which nginx sends the files of a file service',
    load: async () => (await import('./commands/files-nginx.ts')).filesNginx,
  },
  {
    name: 'files publish',
    group: 'Change',
    summary: 'show the files of a folder in a served tree, all in one moment',
    load: async () => (await import('./commands/files-publish.ts')).filesPublish,
  },
  {
    name: 'files ls',
    group: 'Look',
    summary: 'list what a file service serves',
    load: async () => (await import('./commands/files-ls.ts')).filesLs,
  },
  {
    name: 'files stat',
    group: 'Look',
    summary: 'show what a file service knows of one file',
    load: async () => (await import('./commands/files-stat.ts')).filesStat,
  },
  {
    name: 'files where',
    group: 'Look',
    summary: 'ask every node which version of a file it has',
    load: async () => (await import('./commands/files-where.ts')).filesWhere,
  },
  {
    name: 'files why',
    group: 'Look',
    summary: 'explain why a file is served on a node, or is not',
    load: async () => (await import('./commands/files-why.ts')).filesWhy,
  },
  {
    name: 'files missing',
    group: 'Look',
    summary: 'show what the children of a file service lack',
    load: async () => (await import('./commands/files-missing.ts')).filesMissing,
  },
  {
    name: 'files provision',
    group: 'Change',
    summary: 'offer everything to a child again, such as a new node; what it has does not travel',
    load: async () => (await import('./commands/files-provision.ts')).filesProvision,
  },
  {
    name: 'files repair',
    group: 'Change',
    summary: 'compare children with a file service, and send again what differs',
    load: async () => (await import('./commands/files-repair.ts')).filesRepair,
  },
  {
    name: 'files verify',
    group: 'Look',
    summary: 'read files again and compare them with their hashes',
    load: async () => (await import('./commands/files-verify.ts')).filesVerify,
  },
]
