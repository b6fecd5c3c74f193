// Sends the token, where there is one, else signs the host and the date:
// https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm-001.html
if (variable('token')) {
  setHeader('X-Auth-Token', variable('token'));
} else {
  const date = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const emptyBody = hashes.SHA256('').toString();
  const canonicalRequest =
    `${METHOD}\n${path}/\n\nhost:${host}\nx-sdk-date:${date}\n\nhost;x-sdk-date\n${emptyBody}`;
  const stringToSign = `SDK-HMAC-SHA256\n${date}\n${hashes.SHA256(canonicalRequest).toString()}`;
  const signature = hashes.HmacSHA256(stringToSign, needed('secret_key')).toString();
  setHeader('X-Sdk-Date', date);
  setHeader(
    'Authorization',
    `SDK-HMAC-SHA256 Access=${needed('access_key')}, SignedHeaders=host;x-sdk-date, Signature=${signature}`,
  );
  if (variable('security_token')) setHeader('X-Security-Token', variable('security_token'));
}
