import type { ReadyFiles } from '../../app/files.ts'
import { command } from '../command.ts'
import { CLIENT } from '../connect.ts'
import type { Context } from '../context.ts'
import { FILE_SERVICE, fileServiceSettings } from '../files-settings.ts'
import { SERVICE, serviceLog } from '../service.ts'

export const filesServe = command({
  arguments: [],
  options: {
    ...FILE_SERVICE,
    json: CLIENT.json,
    ...SERVICE,
  },
  details:
    'Stays in the foreground; Ctrl-C stops it. Without any credentials anybody may read and nobody write. With some, ' +
    'nothing is open but what --open-reads or --open-json say. Reads what Open-Meteo’s server reads from the environment: ' +
    'API_SYNC_APIKEYS, DATA_DIRECTORY, DATA_RUN_DIRECTORY, DATA_SPATIAL_DIRECTORY, NGINX_SENDFILE_PREFIX; with a folder ' +
    'from there no --tree is needed.',
  examples: [
    'flotilla files serve --tree data=/srv/data',
    'flotilla files serve --tree music=/srv/music --child http://10.0.0.2:8480 --child-key-file child.key --ack quorum',
    'flotilla files serve --tree data=/srv/data --tree runs=/srv/runs --listen 0.0.0.0:8480 --api-key-file keys',
  ],
  async run({ options }, context) {
    const { runFiles } = await import('../../app/files.ts')
    const { config, base, state, keys } = await fileServiceSettings(options, context)
    const { clock, signal } = context
    const log = serviceLog('files', config.logLevel, context)
    await runFiles(config, { clock, log, signal, base, state, keys }, (ready) => {
      if (options.json) context.output.json('files', ready)
      else tell(ready, context)
    })
    return 0
  },
})

function tell(ready: ReadyFiles, { output }: Context): void {
  output.print(`files  ${ready.url}`)
  for (const { name, folder, readOnly, children } of ready.trees) {
    output.print(`tree   ${name}  ${folder}${readOnly ? ' (read-only)' : ''}`)
    for (const child of children) output.print(`child  ${name}  ${child}`)
  }
  output.print(`reads  ${ready.reads}`)
  output.print(`writes ${ready.writes}`)
  output.print(`state  ${ready.state}`)
  const [first] = ready.trees
  if (first === undefined) return
  output.print('\nto try it:')
  output.print(`  curl '${ready.url}/${first.name}/?list-type=2&max-keys=10${ready.needsKey ? '&apikey=KEY' : ''}'`)
}
