import { resolve } from 'node:path'
import { command } from '../command.ts'
import { CLIENT, DEFAULT_DATA } from '../connect.ts'
import type { Context } from '../context.ts'
import { span } from '../format.ts'
import { JOIN_ADVICE, joinLine } from '../join-line.ts'
import { DRP, drpFlags } from '../drp-options.ts'
import { SERVICE, serviceLog, serviceSources } from '../service.ts'

export const up = command({
  arguments: [],
  options: {
    data: {
      type: 'value',
      placeholder: 'DIR',
      summary: 'folder of the store, the blobs and the token; made when it is missing (default .flotilla)',
      completes: 'folder',
    },
    store: {
      type: 'value',
      placeholder: 'STORE',
      summary: 'where the state is: sqlite, a file in DIR (default), or etcd://HOST:PORT,…/PREFIX',
    },
    listen: { type: 'value', placeholder: 'HOST:PORT', summary: 'where to listen (default 127.0.0.1:8470)' },
    source: {
      type: 'value',
      placeholder: 'DIR',
      summary: 'follow this folder of fragments: release it whenever it changes',
      completes: 'folder',
    },
    config: {
      type: 'value',
      placeholder: 'FILE',
      summary: 'a configuration of the hub, for everything else',
      completes: 'file',
    },
    json: CLIENT.json,
    ...DRP,
    ...SERVICE,
  },
  details:
    'Stays in the foreground; Ctrl-C stops it. The token of the administrator is kept in DIR/admin.token, readable by you ' +
    'alone. Nodes on other servers need an address they can reach, such as --listen 0.0.0.0:8470.',
  examples: [
    'flotilla up',
    'flotilla up --store etcd://127.0.0.1:2379',
    'flotilla up --data /var/lib/flotilla --listen 0.0.0.0:8470',
  ],
  async run({ options }, context) {
    const [{ loadConfig }, { hubSchema }, { runHub }] = await Promise.all([
      import('../../config/load.ts'),
      import('../../config/hub.ts'),
      import('../../app/hub.ts'),
    ])
    const { cwd } = context
    const flags = {
      data: options.data === undefined ? undefined : resolve(cwd, options.data),
      store: options.store,
      listen: options.listen,
      'sources.datasets.folder': options.source === undefined ? undefined : resolve(cwd, options.source),
      ...drpFlags(options, cwd),
      logLevel: options.logLevel,
    }
    const { base, ...sources } = await serviceSources(options.config, flags, context)
    const config = loadConfig(hubSchema, sources)
    const log = serviceLog('hub', config.logLevel, context)
    await runHub(config, { clock: context.clock, log, signal: context.signal, base }, async (hub) => {
      const { code, expiresAtMs } = await hub.joinCode()
      const ready = { url: hub.url, tokenFile: hub.tokenFile, code: code.reveal(), expiresAtMs }
      if (options.json) context.output.json('hub', { ...ready, join: joinLine(ready) })
      else tell(ready, hub.data === resolve(cwd, DEFAULT_DATA), context)
    })
    return 0
  },
})

interface Ready {
  readonly url: string
  readonly tokenFile: string
  readonly code: string
  readonly expiresAtMs: number
}

function tell(ready: Ready, isDefault: boolean, { output, clock }: Context): void {
  output.print(`hub    ${ready.url}`)
  output.print(`token  ${ready.tokenFile}`)
  output.print(`join   ${joinLine(ready)}`)
  output.print(
    `       (for one node, within ${span(ready.expiresAtMs - clock.nowMs())}; for the next one: flotilla token join-code)`,
  )
  output.print(`       (${JOIN_ADVICE})`)
  if (!isDefault) {
    output.print('\nfor commands in another terminal:')
    output.print(`  export FLOTILLA_URL=${ready.url} FLOTILLA_TOKEN_FILE=${ready.tokenFile}`)
  }
}
