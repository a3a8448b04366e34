import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Secret } from '../../src/lib/secret.ts'
import { connectStomp, type StompConnection } from '../../src/lib/stomp/connection.ts'
import { brokersOf } from '../../src/lib/stomp/address.ts'
import type { Frame } from '../../src/lib/stomp/frame.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import type { RealBroker } from './carrier.ts'
import { fixedPort } from './fixed-port.ts'

/** A real ActiveMQ of the system's package, with a folder, a port and users of its own. */
export interface ActiveMq extends RealBroker {
  /** After `kill`. Resolves when it takes connections. */
  restart(options?: { readonly xstream: boolean }): Promise<void>
  /** A connection that may do everything. */
  admin(): Promise<StompConnection>
  /** What lies in a queue, left there. */
  waiting(queue: string): Promise<readonly Frame[]>
}

export interface ActiveMqOptions {
  /** Takes TLS only; paths of PEM files. */
  readonly tls?: { readonly certificate: string; readonly key: string }
  /** Whether it can turn objects of Java into XML. */
  readonly xstream?: boolean
}

const HOME = '/usr/share/activemq'
const JAVA = '/usr/share/java'
const OPENED = ['lang', 'util', 'util.concurrent', 'net'].map((name) => `java.base/java.${name}=ALL-UNNAMED`)
/** A broker that carries hints needs little. */
const SMALL = ['-Xmx192m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
const PASSWORD = 'correct-horse-battery'
const START_MS = 60_000

/** For a set-up before tests that may be skipped. */
export function isActiveMqInstalled(): boolean {
  return existsSync(HOME)
}

export async function startActiveMq({ tls, xstream = false }: ActiveMqOptions = {}): Promise<ActiveMq> {
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-activemq-'))
  for (const each of ['conf', 'data', 'lib']) mkdirSync(join(folder, each))
  const port = await fixedPort()
  if (tls !== undefined) keyStore(folder, tls)
  writeFileSync(join(folder, 'conf/activemq.xml'), settings(port, tls !== undefined), { mode: 0o600 })
  giveJars(folder, xstream)
  let server = await startServer(folder, port)
  const url = `${tls === undefined ? 'stomp' : 'stomp+ssl'}://localhost:${port}`
  const admin = async (): Promise<StompConnection> => await adminAt(url)
  return {
    url,
    user: 'flotilla',
    password: new Secret(PASSWORD),
    kill: async () => await end(server),
    restart: async (options) => {
      giveJars(folder, options?.xstream ?? xstream)
      server = await startServer(folder, port)
    },
    freeze: () => void server.kill('SIGSTOP'),
    thaw: () => void server.kill('SIGCONT'),
    admin,
    waiting: async (queue) => await browse(await admin(), queue),
    stop: async () => {
      await end(server)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** What the broker needs to turn objects into XML, as its administrator would link it; or not. */
function giveJars(folder: string, xstream: boolean): void {
  const extra = join(folder, 'lib/extra')
  rmSync(extra, { recursive: true, force: true })
  mkdirSync(extra)
  if (xstream) for (const jar of ['xstream.jar', 'xpp3.jar']) symlinkSync(join(JAVA, jar), join(extra, jar))
}

function keyStore(folder: string, { certificate, key }: NonNullable<ActiveMqOptions['tls']>): void {
  const to = ['-out', join(folder, 'conf/broker.p12'), '-passout', `pass:${PASSWORD}`]
  execFileSync('openssl', ['pkcs12', '-export', '-in', certificate, '-inkey', key, ...to], { stdio: 'ignore' })
}

/** Users and rights are those that docs/how-to/with-activemq.md gives. */
function settings(port: number, isEncrypted: boolean): string {
  const user = (name: string, groups: string): string =>
    `<authenticationUser username="${name}" password="${PASSWORD}" groups="${groups}"/>`
  const may = (where: string, group: string): string =>
    `<authorizationEntry ${where} read="${group},admins" write="${group},admins" admin="${group},admins"/>`
  const store = `file:\${activemq.base}/conf/broker.p12`
  const ssl = `<sslContext><sslContext keyStore="${store}" keyStoreType="PKCS12" keyStorePassword="${PASSWORD}"/></sslContext>`
  const [spring, broker] = ['http://www.springframework.org/schema/beans', 'http://activemq.apache.org/schema/core']
  const schemas = `${spring} ${spring}/spring-beans-2.0.xsd ${broker} ${broker}/activemq-core.xsd`
  return `<beans xmlns="${spring}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="${schemas}">
  <bean class="org.springframework.beans.factory.config.PropertyPlaceholderConfigurer"/>
  <broker xmlns="${broker}" useJmx="false" brokerName="test" dataDirectory="\${activemq.base}/data">
    <destinationPolicy><policyMap><policyEntries>
      <policyEntry queue=">" expireMessagesPeriod="500"/>
    </policyEntries></policyMap></destinationPolicy>
    <persistenceAdapter><kahaDB directory="\${activemq.base}/data/kahadb"/></persistenceAdapter>
    <plugins>
      <simpleAuthenticationPlugin><users>
        ${user('flotilla', 'flotilla')}${user('geoserver', 'geoservers')}${user('admin', 'admins')}
      </users></simpleAuthenticationPlugin>
      <authorizationPlugin><map><authorizationMap><authorizationEntries>
        ${may('queue=">"', 'admins')}${may('topic=">"', 'admins')}
        ${may('topic="ActiveMQ.Advisory.&gt;"', 'flotilla,geoservers')}
        ${may('topic="VirtualTopic.flotilla.&gt;"', 'flotilla')}
        ${may('queue="Consumer.*.VirtualTopic.flotilla.&gt;"', 'flotilla')}
        ${may('topic="VirtualTopic.geoserver.&gt;"', 'geoservers')}
        ${may('queue="Consumer.*.VirtualTopic.geoserver.&gt;"', 'geoservers,flotilla')}
      </authorizationEntries></authorizationMap></map></authorizationPlugin>
    </plugins>
    ${isEncrypted ? ssl : ''}
    <systemUsage><systemUsage>
      <memoryUsage><memoryUsage limit="64 mb"/></memoryUsage>
      <storeUsage><storeUsage limit="512 mb"/></storeUsage>
      <tempUsage><tempUsage limit="128 mb"/></tempUsage>
    </systemUsage></systemUsage>
    <transportConnectors>
      <transportConnector name="stomp" uri="${isEncrypted ? 'stomp+ssl' : 'stomp'}://127.0.0.1:${port}"/>
    </transportConnectors>
  </broker>
</beans>
`
}

async function startServer(folder: string, port: number): Promise<ChildProcess> {
  const paths = { home: HOME, base: folder, conf: join(folder, 'conf'), data: join(folder, 'data') }
  const properties = Object.entries(paths).map(([name, path]) => `-Dactivemq.${name}=${path}`)
  const opened = OPENED.flatMap((name) => ['--add-opens', name])
  const start = ['-jar', join(HOME, 'bin/activemq.jar'), 'start', `xbean:file:${join(folder, 'conf/activemq.xml')}`]
  const argv = [...SMALL, ...properties, ...opened, ...start]
  const child = spawn('java', argv, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  const said: string[] = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => void said.push(String(text)))
  // A test run that is ended in the middle leaves no broker behind.
  process.once('exit', () => void child.kill('SIGKILL'))
  const endMs = Date.now() + START_MS
  while (!(await takesConnections(port))) {
    if (child.exitCode !== null || Date.now() > endMs)
      throw new Error(`no ActiveMQ came up:\n${said.join('').slice(-4000)}`)
    await sleep(100)
  }
  return child
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'close')
  child.kill('SIGKILL')
  await ended
}

async function takesConnections(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const taken = await once(socket, 'connect').then(
    () => true,
    () => false,
  )
  socket.destroy()
  return taken
}

async function adminAt(url: string): Promise<StompConnection> {
  const [broker] = brokersOf(url)
  if (broker === undefined) throw new Error('no broker')
  const login = { user: 'admin', password: new Secret(PASSWORD), clock: systemClock, bodyMax: 1_000_000 }
  return await connectStomp(broker, login, new AbortController().signal)
}

async function browse(connection: StompConnection, queue: string): Promise<readonly Frame[]> {
  const found: Frame[] = []
  const end = Promise.withResolvers<void>()
  const take = (message: Frame): void => {
    if (message.headers.get('browser') === 'end') end.resolve()
    else found.push(message)
  }
  await connection.subscribe({ destination: `/queue/${queue}`, headers: { browser: 'true' }, prefetch: 1000, take })
  await end.promise
  await connection.close()
  return found
}
