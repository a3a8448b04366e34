import { resolve } from 'node:path'
import { command } from '../command.ts'
import { DRP, drpFlags } from '../drp-options.ts'
import { SERVICE, serviceLog, serviceSources } from '../service.ts'

export const hub = command({
  arguments: [],
  options: {
    config: {
      type: 'value',
      placeholder: 'FILE',
      summary: 'its configuration; without one, the environment and the defaults count',
      completes: 'file',
    },
    data: {
      type: 'value',
      placeholder: 'DIR',
      summary: 'folder of the store, the blobs and the token',
      completes: 'folder',
    },
    store: { type: 'value', placeholder: 'STORE', summary: 'where the state is: sqlite, or etcd://HOST:PORT,…/PREFIX' },
    listen: { type: 'value', placeholder: 'HOST:PORT', summary: 'where to listen' },
    ...DRP,
    ...SERVICE,
  },
  details: 'As `flotilla up`, for a service manager: says nothing but its log. All settings: docs/reference/config.md.',
  examples: [
    'flotilla hub --store etcd://10.0.0.1:2379,10.0.0.2:2379 --data /var/lib/flotilla',
    'flotilla hub --config /etc/flotilla/hub.yaml',
    'FLOTILLA_DATA=/data flotilla hub --listen 0.0.0.0:8470',
  ],
  async run({ options }, context) {
    const [{ loadConfig }, { hubSchema }, { runHub }] = await Promise.all([
      import('../../config/load.ts'),
      import('../../config/hub.ts'),
      import('../../app/hub.ts'),
    ])
    const flags = {
      data: options.data === undefined ? undefined : resolve(context.cwd, options.data),
      store: options.store,
      listen: options.listen,
      ...drpFlags(options, context.cwd),
      logLevel: options.logLevel,
    }
    const { base, ...sources } = await serviceSources(options.config, flags, context)
    const config = loadConfig(hubSchema, sources)
    const log = serviceLog('hub', config.logLevel, context)
    await runHub(config, { clock: context.clock, log, signal: context.signal, base }, () => Promise.resolve())
    return 0
  },
})
