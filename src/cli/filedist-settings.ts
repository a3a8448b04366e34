import { posix, resolve } from 'node:path'
import { FlotillaError } from '../core/errors.ts'
import { isName } from '../core/keys.ts'
import { shellWord } from '../lib/shell-word.ts'
import { kebab } from './command.ts'
import type { Context } from './context.ts'

/** The options of nginx.filedist, with the meaning they have there. facts: its source, `Trollop::options`. */
export const FILEDIST = {
  server: {
    type: 'value',
    placeholder: 'HOST:PORT',
    summary: 'where nginx listens, in its own words; names the logs',
    short: 's',
    required: true,
    form: {
      test: (text: string) => /^[\w.:[\]-]{1,200}$/.test(text),
      words: 'as nginx’s listen, such as localhost:8080',
    },
  },
  childNodes: {
    type: 'value',
    placeholder: 'A,B',
    summary: 'HOST:PORT of the nginx of each child, which the file service is to feed',
    short: 'c',
  },
  root: {
    type: 'value',
    placeholder: 'DIR',
    summary: 'folder below which the files lie, by the whole path of their URL (default / where there is -p)',
    short: 'r',
    completes: 'folder',
  },
  pathPrefix: {
    type: 'value',
    placeholder: 'PATH',
    summary: 'path that the URLs of all files begin with',
    short: 'p',
    form: {
      test: (text: string) => text.split('/').every((part) => /^(?:[\w-][\w.-]*)?$/.test(part)),
      words: 'a path of A-Z a-z 0-9 _ . -, such as /music/',
    },
  },
  logDir: {
    type: 'value',
    placeholder: 'DIR',
    summary: 'folder of the logs, and of temporary files',
    short: 'l',
    fallback: '/var/log/nginx/',
    completes: 'folder',
  },
  pid: {
    type: 'value',
    placeholder: 'FILE',
    summary: 'file of nginx’s process id; [SERVERNAME] is what -s says',
    short: 'i',
    fallback: '/var/run/nginx.[SERVERNAME].pid',
    completes: 'file',
  },
  user: {
    type: 'value',
    placeholder: 'NAME',
    summary: 'user that nginx runs as, where it is started by the superuser; nginx’s own when left out',
    short: 'u',
    form: { test: (text: string) => /^[\w.@-]{1,64}$/.test(text), words: 'the name of a user' },
  },
  maxBodySize: {
    type: 'value',
    placeholder: 'SIZE',
    summary: 'largest body, as nginx has sizes: 30m; 0 for any',
    short: 'm',
    fallback: '0',
    form: { test: (text: string) => /^\d{1,15}[kKmMgG]?$/.test(text), words: 'a size, such as 30m' },
  },
} as const

interface FiledistTree {
  readonly name: string
  readonly folder: string
  /** With a slash at both ends. */
  readonly prefix: string
}

/** The tree that the options of nginx.filedist describe; undefined where they do not. Throws `USAGE` for two ways at once. */
export function filedistTree(
  {
    root,
    pathPrefix,
    tree,
  }: { readonly root: string | undefined; readonly pathPrefix: string | undefined; readonly tree: readonly string[] },
  { cwd }: Context,
): FiledistTree | undefined {
  if (root === undefined && pathPrefix === undefined) return undefined
  if (tree.length > 0) {
    throw new FlotillaError('USAGE', '--tree and --root or --path-prefix say the same', { hint: 'Give one of them.' })
  }
  const parts = (pathPrefix ?? '').split('/').filter((part) => part !== '')
  const folder = posix.join(resolve(cwd, root ?? '/'), ...parts)
  if (folder === '/')
    throw new FlotillaError('USAGE', '--root / alone would serve everything', { hint: 'Add -p PATH.' })
  const last = parts.at(-1) ?? ''
  const prefix = parts.length === 0 ? '/' : `/${parts.join('/')}/`
  return { name: isName(last) ? last : 'files', folder, prefix }
}

/** Those that the file service takes as well. */
const FOR_SERVICE = [
  'tree',
  'listen',
  'child',
  'childKeyFile',
  'childCa',
  'ack',
  'apiKeyFile',
  's3Credentials',
  'readOnly',
  'openReads',
  'openJson',
  'openWrites',
  'state',
  'domain',
  'sendfilePrefix',
  'nginxSocket',
  'config',
] as const

type ForService = { readonly [K in (typeof FOR_SERVICE)[number]]: string | boolean | readonly string[] | undefined }

/** The command line of the file service that belongs to it, for a shell. */
export function serveCommand(options: ForService): string {
  const words = FOR_SERVICE.flatMap((name) => {
    const value = options[name]
    if (value === undefined || value === false) return []
    if (value === true) return [`--${kebab(name)}`]
    return [value].flat().map((text) => `--${kebab(name)} ${shellWord(text)}`)
  })
  return ['flotilla files serve', ...words].join(' ')
}
