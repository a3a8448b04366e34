import { resolve } from 'node:path'
import { FlotillaError } from '../../core/errors.ts'
import { command } from '../command.ts'
import { FILEDIST, filedistTree, serveCommand } from '../filedist-settings.ts'
import { FILE_SERVICE, fileServiceSettings } from '../files-settings.ts'
import { SERVICE, serviceLog } from '../service.ts'

const { tree, listen, apiKeyFile, s3Credentials, readOnly, openReads, openJson, openWrites } = FILE_SERVICE
const { child, childKeyFile, childCa, ack, state, domain, sendfilePrefix, nginxSocket, config } = FILE_SERVICE

export const proxyRenderFiledist = command({
  arguments: [
    { name: 'TEMPLATE', summary: 'as nginx.filedist had it; is not read', optional: true, completes: 'file' },
  ],
  options: {
    ...FILEDIST,
    tree,
    listen,
    apiKeyFile,
    s3Credentials,
    readOnly,
    openReads,
    openJson,
    openWrites,
    child,
    childKeyFile,
    childCa,
    ack,
    state,
    domain,
    sendfilePrefix,
    nginxSocket,
    config,
    ...SERVICE,
  },
  details:
    'Prints a whole configuration for the nginx of one node of a distribution tree: it sends what is in the folder by itself, and leaves ' +
    'the rest to the file service beside it, whose command line is told on the error output and at the begin of the configuration. Takes the options ' +
    'of nginx.filedist: files below -p lie below the same path in -r, as a tree with the name of its last part. With ' +
    '--nginx-socket nginx writes bodies to the disk and hands them over, which has to run as the same user as the file service. Holds the ' +
    'keys: let only root read it, and write it anew when they change.',
  examples: [
    'flotilla proxy render filedist -u www-data -r /srv -p /music/ -s 0.0.0.0:8080 -c node1:8080,node2:8080',
    'flotilla proxy render filedist -s 8080 --tree music=/srv/music --nginx-socket /run/flotilla/nginx.sock',
  ],
  async run({ options }, context) {
    const { filedistOf } = await import('../../app/files-nginx.ts')
    const own = filedistTree(options, context)
    const named = (options.childNodes ?? '').split(',').flatMap((text) => childUrl(text.trim()))
    const child = [...options.child, ...named]
    const tree = own === undefined ? options.tree : [`${own.name}=${own.folder}`]
    const given = { ...options, tree, child, root: false, relay: false, keepCopies: false, catchUpRate: undefined }
    const { config, base, keys } = await fileServiceSettings(given, context)
    const log = serviceLog('files', config.logLevel, context)
    const serve = serveCommand({ ...options, tree, child })
    const settings = {
      server: options.server,
      user: options.user,
      pid: resolve(
        context.cwd,
        options.pid.replaceAll('[SERVERNAME]', () => options.server),
      ),
      logDir: resolve(context.cwd, options.logDir),
      maxBodySize: options.maxBodySize,
      about: [`Beside it runs: ${serve}`],
      prefixes: own === undefined ? {} : { [own.name]: own.prefix },
    }
    const text = await filedistOf(config, settings, { log, base, keys })
    context.output.note(`beside this nginx runs: ${serve}`)
    if (config.openWrites) context.output.note('anybody who reaches this nginx may write')
    context.output.print(text.trimEnd())
    return 0
  },
})

/** nginx.filedist's children are `host:port`. */
function childUrl(text: string): readonly string[] {
  if (text === '') return []
  const url = /^https?:\/\//.test(text) ? text : `http://${text}`
  if (URL.canParse(url)) return [url]
  throw new FlotillaError('USAGE', `--child-nodes takes HOST:PORT,…, not "${text}"`)
}
