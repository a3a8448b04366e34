import type { Entry } from './commands.ts'

/** The part of the table that is about changes going out in waves. */
export const ROLLOUT_COMMANDS: readonly Entry[] = [
  {
    name: 'rollout',
    group: 'Look',
    summary: 'show how far a change that goes out in waves has come',
    load: async () => (await import('./commands/rollout.ts')).rollout,
  },
  {
    name: 'rollout pause',
    group: 'Change',
    summary: 'change no further node for now',
    load: async () => (await import('./commands/rollout-steer.ts')).rolloutPause,
  },
  {
    name: 'rollout resume',
    group: 'Change',
    summary: 'go on after a pause',
    load: async () => (await import('./commands/rollout-steer.ts')).rolloutResume,
  },
  {
    name: 'rollout abort',
    group: 'Change',
    summary: 'take the change back from every node that has it',
    load: async () => (await import('./commands/rollout-steer.ts')).rolloutAbort,
  },
  {
    name: 'rollout start',
    group: 'Change',
    summary: 'take a release that was taken back to the nodes once more',
    load: async () => (await import('./commands/rollout-start.ts')).rolloutStart,
  },
  {
    name: 'rollout policy',
    group: 'Change',
    summary: 'show or set how releases go out unless they say it themselves',
    load: async () => (await import('./commands/rollout-policy.ts')).rolloutPolicy,
  },
  {
    name: 'drain',
    group: 'Change',
    summary: 'let the proxies send a node no new requests',
    load: async () => (await import('./commands/drain.ts')).drain,
  },
  {
    name: 'undrain',
    group: 'Change',
    summary: 'let a node have its requests again',
    load: async () => (await import('./commands/drain.ts')).undrain,
  },
]
