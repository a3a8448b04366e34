import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fixedPort } from '../test/helpers/fixed-port.ts'
import { emptied, seconds } from './files.ts'

export interface RsyncDaemon {
  readonly folder: string
  /** Copies all of a folder to it; answers the seconds. */
  copy(from: string): Promise<number>
  stop(): Promise<void>
}

/** An rsync daemon on this machine, that takes what it is sent. */
export async function startRsync(home: string): Promise<RsyncDaemon> {
  const folder = join(home, 'rsync')
  mkdirSync(folder, { recursive: true })
  const port = await fixedPort()
  const config = join(home, 'rsyncd.conf')
  const user = process.getuid?.() === 0 ? 'uid = root\ngid = root\n' : ''
  const how = `use chroot = no\naddress = 127.0.0.1\nport = ${port}\npid file = ${home}/rsyncd.pid\nlog file = ${home}/rsyncd.log\n`
  writeFileSync(config, `${how}${user}[tree]\npath = ${folder}\nread only = no\n`)
  const daemon = spawn('rsync', ['--daemon', '--no-detach', `--config=${config}`], { stdio: 'ignore' })
  while (!(await isListening(port))) await delay(20)
  return {
    folder,
    copy: async (from) => await seconds('rsync', ['-a', '--whole-file', `${from}/`, `rsync://127.0.0.1:${port}/tree/`]),
    stop: async () => {
      const ended = once(daemon, 'exit')
      daemon.kill()
      await ended
      emptied(folder)
    },
  }
}

async function isListening(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
