import type { Entry } from './commands.ts'

/** The part of the table that is about machines that work together. */
export const COORDINATION_COMMANDS: readonly Entry[] = [
  {
    name: 'elect',
    group: 'Work together',
    summary: 'run a command while this one leads; see who leads; resign',
    load: async () => (await import('./commands/elect.ts')).elect,
  },
  {
    name: 'lock',
    group: 'Work together',
    summary: 'run a command while it holds a lock, or one of several slots',
    load: async () => (await import('./commands/lock.ts')).lock,
  },
  {
    name: 'barrier',
    group: 'Work together',
    summary: 'wait until all have arrived, or until all have left',
    load: async () => (await import('./commands/barrier.ts')).barrier,
  },
  {
    name: 'wait',
    group: 'Work together',
    summary: 'wait until something is so, without asking again and again',
    load: async () => (await import('./commands/wait.ts')).wait,
  },
  {
    name: 'progress',
    group: 'Work together',
    summary: 'show how far a node is: icon, colour, phase, percent, message',
    load: async () => (await import('./commands/progress.ts')).progress,
  },
]
