import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { test, type TestAPI } from 'vitest'
import { IN_NO_PACKAGE } from '../../scripts/checks/tally.ts'

/** What a test needs of the machine, beyond Node.js. */
export interface Needs {
  /** The licensed collections of `../shared/fixtures`. */
  readonly fixtures?: boolean
  /** The configurations of `../shared/examples`. */
  readonly examples?: boolean
  /** The superuser's rights. */
  readonly root?: boolean
  /** Programs on the PATH; missing ones are installed from the system's packages where root and apt allow. */
  readonly tools?: readonly Tool[]
  /** Programs that are in no package: where one is not on the PATH, the test says so and is skipped, in CI as well. */
  readonly ifThere?: readonly string[]
}

/** Program → the package of Debian that has it. */
const PACKAGES = {
  strace: 'strace',
  fish: 'fish',
  zsh: 'zsh',
  bash: 'bash',
  setpriv: 'util-linux',
  'rabbitmq-server': 'rabbitmq-server',
  activemq: 'activemq',
  xstream: 'libxstream-java',
  etcd: 'etcd-server',
  etcdctl: 'etcd-client',
  openssl: 'openssl',
  flock: 'util-linux',
  haproxy: 'haproxy',
  nginx: 'nginx',
  'nginx-lua': 'libnginx-mod-http-lua',
  curl: 'curl',
  wget: 'wget',
  rclone: 'rclone',
  s3cmd: 's3cmd',
  awscli: 'awscli',
  boto3: 'python3-boto3',
  faketime: 'libfaketime',
} as const

/** Shows a process another time than the machine has. Debian puts it below the name of the machine's kind. */
const KIND = { x64: 'x86_64', arm64: 'aarch64' }[process.arch as string] ?? process.arch
export const FAKETIME = `/usr/lib/${KIND}-linux-gnu/faketime/libfaketimeMT.so.1`

/** What is no program, by the file that tells whether it is there. */
const FILES: Readonly<Partial<Record<Tool, string>>> = {
  'nginx-lua': '/usr/lib/nginx/modules/ngx_http_lua_module.so',
  // Those of the system: another version may be first on the PATH.
  awscli: '/usr/bin/aws',
  xstream: '/usr/share/java/xstream.jar',
  faketime: FAKETIME,
  boto3: '/usr/lib/python3/dist-packages/boto3/__init__.py',
}

export type Tool = keyof typeof PACKAGES

const REPOSITORY = join(import.meta.dirname, '../..')

/** Where the licensed fixtures lie; tests that read them start with `needs({ fixtures: true })`. */
export const FIXTURES = process.env['FLOTILLA_FIXTURES'] ?? join(REPOSITORY, '../shared/fixtures')

/** Proved configurations, beside the fixtures; tests that read them start with `needs({ examples: true })`. */
export const EXAMPLES = join(FIXTURES, '../examples')

/**
 * Vitest's `test`, for tests that need something of the machine: `const test = await needs({ tools: ['strace'] })`.
 * Where the need is missing, every such test is skipped by name with the reason; with CI=true it fails instead.
 */
export async function needs(wanted: Needs): Promise<TestAPI> {
  const none = wanted.ifThere?.find((program) => !onPath(program))
  if (none !== undefined) {
    const reason = `${none} is ${IN_NO_PACKAGE}`
    return test.extend('need', { auto: true }, ({ skip }): undefined => skip(reason)) as unknown as TestAPI
  }
  const reason = await missing(wanted)
  if (reason === undefined) return test
  if (process.env['CI'] === 'true') {
    return test.extend('need', { auto: true }, (): undefined => {
      throw new Error(`in CI nothing may be skipped: ${reason}`)
    }) as unknown as TestAPI
  }
  return test.extend('need', { auto: true }, ({ skip }): undefined => skip(reason)) as unknown as TestAPI
}

async function missing(wanted: Needs): Promise<string | undefined> {
  if (wanted.fixtures === true && !existsSync(FIXTURES)) return `the fixtures are not at ${FIXTURES}`
  if (wanted.examples === true && !existsSync(EXAMPLES)) return `the examples are not at ${EXAMPLES}`
  if (wanted.root === true && !isRoot()) return 'needs root'
  const absent = (wanted.tools ?? []).filter((tool) => !isThere(tool))
  return absent.length === 0 ? undefined : install(absent)
}

/** Installs the packages of `tools`; answers why it could not. */
async function install(tools: readonly Tool[]): Promise<string | undefined> {
  const names = tools.join(', ')
  if (!isRoot()) return `${names} not installed, and installing needs root`
  if (!onPath('apt-get')) return `${names} not installed, and there is no apt-get`
  const packages = tools.map((tool) => PACKAGES[tool])
  const options = ['-o', 'DPkg::Lock::Timeout=300', '-y', '--no-install-recommends', 'install', ...packages]
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const apt = promisify(execFile)
  try {
    await apt('apt-get', options, { env }).catch(async () => {
      await apt('apt-get', ['-o', 'DPkg::Lock::Timeout=300', 'update'], { env })
      await apt('apt-get', options, { env })
    })
  } catch {
    return `${names} not installed, and apt-get could not install ${packages.join(' ')}`
  }
  const absent = tools.filter((tool) => !isThere(tool))
  return absent.length === 0 ? undefined : `${absent.join(', ')} still missing after apt-get install`
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}

export function isThere(tool: Tool): boolean {
  const file = FILES[tool]
  return file === undefined ? onPath(tool) : existsSync(file)
}

function onPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)))
}
