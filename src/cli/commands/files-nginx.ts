import { command } from '../command.ts'
import { FILE_SERVICE, fileServiceSettings } from '../files-settings.ts'
import { SERVICE, serviceLog } from '../service.ts'

export const filesNginx = command({
  arguments: [],
  options: {
    nginxListen: {
      type: 'value',
      placeholder: 'ADDRESS',
      summary: 'where nginx listens, in its own words: 80, or 10.0.0.7:8080',
      fallback: '80',
      form: {
        test: (text) => /^[\w.:[\]-]{1,200}$/.test(text),
        words: 'as nginx’s listen, such as 80 or 10.0.0.7:8080',
      },
    },
    ...FILE_SERVICE,
    ...SERVICE,
  },
  details:
    'Prints a server for nginx’s http block, such as a file of conf.d: nginx then sends files by itself, with the keys of the file ' +
    'service compiled in, and asks the file service, which runs at --listen, for everything else. Takes the options and the environment of ' +
    'flotilla files serve. It holds the keys: let only root read it, and write it anew when they change.',
  examples: [
    'flotilla files nginx --tree data=/srv/data --api-key-file keys',
    'flotilla files nginx --nginx-listen 8080 --config /etc/flotilla/files.yaml',
  ],
  async run({ options }, context) {
    const { nginxOf } = await import('../../app/files-nginx.ts')
    const { config, base, keys } = await fileServiceSettings(options, context)
    const log = serviceLog('files', config.logLevel, context)
    const text = await nginxOf(config, options.nginxListen, { log, base, keys })
    context.output.print(text.trimEnd())
    return 0
  },
})
