import type { Entry } from './commands.ts'

/** The part of the table that is about tokens. */
export const TOKEN_COMMANDS: readonly Entry[] = [
  {
    name: 'token create',
    group: 'Access',
    summary: 'create a token with limited rights',
    load: async () => (await import('./commands/token-create.ts')).tokenCreate,
  },
  {
    name: 'token list',
    group: 'Access',
    summary: 'list the tokens, never their values',
    load: async () => (await import('./commands/token-list.ts')).tokenList,
  },
  {
    name: 'token revoke',
    group: 'Access',
    summary: 'end a token now',
    load: async () => (await import('./commands/token-revoke.ts')).tokenRevoke,
  },
  {
    name: 'token join-code',
    group: 'Access',
    summary: 'print a code with which one node can join, once',
    load: async () => (await import('./commands/token-join-code.ts')).tokenJoinCode,
  },
  {
    name: 'token whoami',
    group: 'Access',
    summary: 'say what your token may do',
    load: async () => (await import('./commands/token-whoami.ts')).tokenWhoami,
  },
]
