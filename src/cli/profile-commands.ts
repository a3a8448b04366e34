import type { Entry } from './commands.ts'
import type * as Param from './commands/param.ts'
import type * as Change from './commands/profile-change.ts'
import type * as Document from './commands/profile-document.ts'
import type * as Look from './commands/profile-look.ts'

const GROUP = 'Work together'

function look(name: string, summary: string, pick: keyof typeof Look): Entry {
  return { name, group: GROUP, summary, load: async () => (await import('./commands/profile-look.ts'))[pick] }
}

function change(name: string, summary: string, pick: keyof typeof Change): Entry {
  return { name, group: GROUP, summary, load: async () => (await import('./commands/profile-change.ts'))[pick] }
}

function document(name: string, summary: string, pick: keyof typeof Document): Entry {
  return { name, group: GROUP, summary, load: async () => (await import('./commands/profile-document.ts'))[pick] }
}

function param(name: string, summary: string, pick: keyof typeof Param): Entry {
  return { name, group: GROUP, summary, load: async () => (await import('./commands/param.ts'))[pick] }
}

/** The part of the table that is about shared state. */
export const PROFILE_COMMANDS: readonly Entry[] = [
  document('profile create', 'make a profile; of several that make it, one does', 'profileCreate'),
  look('profile list', 'list the profiles', 'profileList'),
  look('profile show', 'print a profile as JSON', 'profileShow'),
  look('profile get', 'print one param', 'profileGet'),
  change('profile set', 'set a param, or a member of meta; with -r only if it is as it was seen', 'profileSet'),
  change('profile add', 'set a param that is not set yet; of several that do, one does', 'profileAdd'),
  change('profile remove', 'take a param away', 'profileRemove'),
  change('profile append', 'put a value on a list, unless it is on it', 'profileAppend'),
  change('profile take', 'take a value off a list', 'profileTake'),
  look('profile params', 'print all params, or replace them all', 'profileParams'),
  document('profile patch', 'change a profile by JSON Patch (RFC 6902), all or nothing', 'profilePatch'),
  document('profile update', 'merge JSON into a profile (RFC 7396)', 'profileUpdate'),
  {
    name: 'profile edit',
    group: GROUP,
    summary: 'change a profile in an editor, or by a command that reads and writes it',
    load: async () => (await import('./commands/profile-edit.ts')).profileEdit,
  },
  look('profile history', 'list the changes of a profile, or show it as it was', 'profileHistory'),
  document('profile delete', 'remove a profile', 'profileDelete'),
  {
    name: 'profile token',
    group: 'Access',
    summary: 'make a token for one profile, or for some of its params',
    load: async () => (await import('./commands/profile-token.ts')).profileToken,
  },
  param('param create', 'give a param a default and a schema', 'paramCreate'),
  param('param list', 'list the params that have a default or a schema', 'paramList'),
  param('param show', 'print default and schema of a param', 'paramShow'),
  param('param delete', 'take away default and schema of a param', 'paramDelete'),
  change('counter', 'add to a number that is shared, and print it', 'counter'),
  {
    name: 'txn',
    group: GROUP,
    summary: 'change several profiles at once, all or nothing',
    load: async () => (await import('./commands/txn.ts')).txn,
  },
]
