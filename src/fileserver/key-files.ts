import { open } from 'node:fs/promises'
import { FlotillaError } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import { isName } from '../core/keys.ts'
import { Secret } from '../lib/secret.ts'
import { shellWord } from '../lib/shell-word.ts'
import type { ApiKey, Grant, S3Credential } from './access.ts'

const BYTES_MAX = 1024 * 1024
const OTHERS_WRITE = 0o022
const WORLD_READS = 0o004
const KEY_LINES = 'KEY [read|write] [TREE[/PREFIX] …]'
const CREDENTIAL_LINES = 'ACCESS:SECRET [read|write] [TREE[/PREFIX] …]'
const KEY = /^[!-~]{1,256}$/
const ACCESS_KEY = /^[\w.@-]{1,128}$/

/**
 * Lines of `KEY [read|write] [TREE[/PREFIX] …]`, read and everything where nothing else is said; `#` begins a comment. A prefix means what
 * is in that folder; one that ends with `*`, every key that begins so. `KEY parent TREE …` is for the parent of a distribution tree, which
 * may read and feed these trees, whole ones. Rejects with `CONFIG_INVALID` that names file and line,
 * never the key; `INSECURE_FILE` when others can write to the file.
 */
export async function readApiKeys(path: string, log: Logger): Promise<readonly ApiKey[]> {
  return parseApiKeys(await readFile(path, KEY_LINES, log), path)
}

/** Lines of `ACCESS:SECRET [read|write] [TREE[/PREFIX] …]`, write and everything where nothing else is said; or an AWS credentials file. */
export async function readS3Credentials(path: string, log: Logger): Promise<readonly S3Credential[]> {
  return parseS3Credentials(await readFile(path, CREDENTIAL_LINES, log), path)
}

export function parseApiKeys(text: string, path: string): readonly ApiKey[] {
  return linesOf(text).map(({ words: [key = '', ...rest], line }) => {
    if (!KEY.test(key)) throw invalid(path, line, 'a key is 1 to 256 printable characters')
    return { key: new Secret(key), grant: grantOf(rest, 'read', path, line) }
  })
}

export function parseS3Credentials(text: string, path: string): readonly S3Credential[] {
  if (/^\s*\[[^\]]*\]\s*$/m.test(text)) return parseAwsFile(text, path)
  const credentials = linesOf(text).map(({ words: [pair = '', ...rest], line }) => {
    const colon = pair.indexOf(':')
    const [accessKey, secret] = [pair.slice(0, colon), pair.slice(colon + 1)]
    if (colon === -1 || !ACCESS_KEY.test(accessKey) || !KEY.test(secret)) {
      throw invalid(path, line, 'a line begins with ACCESS:SECRET')
    }
    const grant = grantOf(rest, 'write', path, line)
    if (grant.isParent === true) {
      throw invalid(path, line, 'a parent shows a key, no S3 credentials: say KEY parent TREE in the file of API keys')
    }
    return { accessKey, secret: new Secret(secret), grant, line }
  })
  const secrets = new Map<string, string>()
  for (const { accessKey, secret, line } of credentials) {
    const known = secrets.get(accessKey) ?? secret.reveal()
    if (known !== secret.reveal()) throw invalid(path, line, `${accessKey} has another secret further above`)
    secrets.set(accessKey, known)
  }
  return credentials
}

function parseAwsFile(text: string, path: string): readonly S3Credential[] {
  const everything: Grant = { isWrite: true, scopes: [] }
  const credentials: S3Credential[] = []
  let accessKey = ''
  for (const [index, raw] of text.split('\n').entries()) {
    const [, name = '', value = ''] = /^\s*([a-z_]+)\s*=\s*(\S+)\s*$/.exec(raw) ?? []
    if (raw.trim().startsWith('[')) accessKey = ''
    if (name === 'aws_access_key_id') accessKey = value
    if (name !== 'aws_secret_access_key') continue
    if (!ACCESS_KEY.test(accessKey) || !KEY.test(value)) {
      throw invalid(path, index + 1, 'aws_secret_access_key comes after the aws_access_key_id of its section')
    }
    credentials.push({ accessKey, secret: new Secret(value), grant: everything })
  }
  return credentials
}

interface Line {
  readonly words: readonly string[]
  readonly line: number
}

function linesOf(text: string): readonly Line[] {
  return text
    .split('\n')
    .map((raw, index) => ({ words: withoutComment(raw).split(/\s+/).filter(Boolean), line: index + 1 }))
    .filter(({ words }) => words.length > 0)
}

/** A key may have a `#` in it, but does not begin with one. */
function withoutComment(line: string): string {
  return line.replace(/(?:^|\s)#.*$/, '')
}

function grantOf(words: readonly string[], ifNone: 'read' | 'write', path: string, line: number): Grant {
  const [verb = ''] = words
  const isVerb = verb === 'read' || verb === 'write' || verb === 'parent'
  const isParent = verb === 'parent'
  const scopes = (isVerb ? words.slice(1) : words).map((word) => {
    const slash = word.indexOf('/')
    const [tree, prefix] = slash === -1 ? [word, ''] : [word.slice(0, slash), word.slice(slash + 1)]
    if (!isName(tree)) {
      throw invalid(path, line, 'after the key come read, write or parent, and trees as TREE or TREE/PREFIX')
    }
    if (isParent && prefix !== '') {
      throw invalid(path, line, `a parent feeds whole trees: say parent ${tree}, without a folder`)
    }
    if (prefix.endsWith('*')) return `${tree}/${prefix.slice(0, -1)}`
    return prefix === '' || prefix.endsWith('/') ? `${tree}/${prefix}` : `${tree}/${prefix}/`
  })
  if (!isParent) return { isWrite: (isVerb ? verb : ifNone) === 'write', scopes }
  if (scopes.length === 0) throw invalid(path, line, 'after parent come the names of the trees that it may feed')
  return { isWrite: false, scopes, isParent }
}

async function readFile(path: string, lines: string, log: Logger): Promise<string> {
  const handle = await open(path, 'r').catch((cause: unknown) => {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new FlotillaError('NOT_FOUND', `there is no file ${path}`, {
        hint: `Check the path. Each of its lines is ${lines}; to make it: (umask 077; cat > ${shellWord(path)}), then the lines, Ctrl-D.`,
      })
    }
    if (code === 'EACCES') throw new FlotillaError('FORBIDDEN', `${path} cannot be read by this user`)
    throw cause
  })
  try {
    const stat = await handle.stat()
    if (!stat.isFile()) throw new FlotillaError('CONFIG_INVALID', `${path} is not a file`)
    const chmod = `chmod 600 ${shellWord(path)}`
    if ((stat.mode & OTHERS_WRITE) !== 0) {
      const hint = `Run: ${chmod}`
      throw new FlotillaError('INSECURE_FILE', `${path} holds keys, and others can write to it`, { hint })
    }
    if ((stat.mode & WORLD_READS) !== 0) {
      log.warn('anybody on this machine can read a file of keys', { file: path, run: chmod })
    }
    if (stat.size > BYTES_MAX) throw new FlotillaError('TOO_LARGE', `${path} is too long for a file of keys`)
    return await handle.readFile('utf8')
  } finally {
    await handle.close()
  }
}

function invalid(file: string, line: number, what: string): FlotillaError {
  return new FlotillaError('CONFIG_INVALID', `${file}:${line}: ${what}`, { file, line })
}
