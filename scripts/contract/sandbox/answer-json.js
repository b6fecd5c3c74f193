// DLI and the gateway before it answer in JSON. A 200 may say is_success: false, and may come without a body.
const content = () => JSON.parse(body || '{}') || {};
const denied = (value) => 'is_success' in value && value.is_success !== true;
const told = (value) => `${value.error_code || ''}: ${value.error_msg || value.message || ''}`;
