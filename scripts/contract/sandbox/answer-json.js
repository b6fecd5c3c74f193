// DLI and the gateway before it answer in JSON; a 200 may say is_success: false, and may be empty.
let told = {};
try {
  told = JSON.parse(body || '{}') || {};
} catch (error) {
  told = { error_msg: 'the body is not JSON' };
}
const answer = {
  accepted: status === 200 && (!('is_success' in told) || told.is_success === true),
  typed: /^(DLI|APIGW?)\.[0-9]{4,5}$/.test(told.error_code) && typeof told.error_msg === 'string',
  code: told.error_code || '',
  message: told.error_msg || told.message || '',
};
