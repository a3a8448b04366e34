import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

/** A key and a certificate that it has signed itself, in files of a folder; needs openssl. `name` as openssl writes it: `DNS:localhost`. */
export function selfSigned(
  folder: string,
  name = 'IP:127.0.0.1',
): { readonly key: string; readonly certificate: string } {
  const [key, certificate] = [join(folder, 'tls.key'), join(folder, 'tls.crt')]
  const subject = ['-subj', `/CN=${name.split(':')[1]}`, '-addext', `subjectAltName=${name}`, '-days', '2']
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  execFileSync('openssl', ['req', '-x509', ...curve, ...subject, '-keyout', key, '-out', certificate], {
    stdio: 'ignore',
  })
  return { key, certificate }
}
