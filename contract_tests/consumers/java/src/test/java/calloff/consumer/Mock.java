package calloff.consumer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.Map;
import java.util.Optional;

/** The mock that {@code calloff mock --json} announced: jobs, credentials, what it was sent. */
final class Mock {
  private static final ObjectMapper MAPPER = new ObjectMapper();

  // An offer of HTTP/2 makes some servers of HTTP/1.1 lose the body.
  private final HttpClient http =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final JsonNode announcement;

  private Mock(JsonNode announcement) {
    this.announcement = announcement;
  }

  static Mock announced() throws IOException {
    String text = System.getenv("CALLOFF_MOCK");
    if (text == null) {
      throw new IllegalStateException("put what `calloff mock --json` prints into CALLOFF_MOCK");
    }
    return new Mock(MAPPER.readTree(text));
  }

  Connection connection(String api) {
    return new Connection(announcement.path("apis").path(api).path("base_url").asText());
  }

  String project(String api) {
    return announcement.path("apis").path(api).path("project_id").asText();
  }

  String createJob(String operation, String state) throws IOException, InterruptedException {
    String[] name = operation.split("/", -1);
    var wanted = Map.of("api", name[0], "operation", name[1], "state", state, "owner", "self");
    return asked("/jobs", wanted).get("job_id").asText();
  }

  String stateOf(String operation, String job) throws IOException, InterruptedException {
    var request = HttpRequest.newBuilder(states("/jobs/" + operation + "/" + job)).build();
    return answered(request).get("state").asText();
  }

  CiKey ciKey(String kind) throws IOException, InterruptedException {
    JsonNode keys = asked("/credentials", Map.of("api", "tencent-ci", "kind", kind));
    return new CiKey(
        keys.get("secret_id").asText(), keys.get("secret_key").asText(), optional(keys));
  }

  DliCredential dliCredential(String api, String kind) throws IOException, InterruptedException {
    JsonNode keys = asked("/credentials", Map.of("api", api, "kind", kind));
    return keys.hasNonNull("token")
        ? new DliCredential.Token(keys.get("token").asText())
        : new DliCredential.AccessKey(
            keys.get("access_key").asText(), keys.get("secret_key").asText(), optional(keys));
  }

  void forgetRequests() throws IOException, InterruptedException {
    http.send(HttpRequest.newBuilder(journal()).DELETE().build(), BodyHandlers.discarding());
  }

  /** Returns the only request since they were forgotten. */
  JsonNode request() throws IOException, InterruptedException {
    JsonNode entries = answered(HttpRequest.newBuilder(journal()).build()).get("entries");
    if (entries.size() != 1) {
      throw new IllegalStateException(entries.size() + " requests were sent");
    }
    return entries.get(0);
  }

  private URI journal() {
    return URI.create(announcement.get("control_url").asText() + "/journal");
  }

  private URI states(String path) {
    return URI.create(announcement.get("provider_states_url").asText() + path);
  }

  private static Optional<String> optional(JsonNode keys) {
    return Optional.ofNullable(keys.get("security_token")).map(JsonNode::asText);
  }

  private JsonNode asked(String path, Map<String, String> wanted)
      throws IOException, InterruptedException {
    return answered(
        HttpRequest.newBuilder(states(path))
            .header("Content-Type", "application/json")
            .POST(BodyPublishers.ofString(MAPPER.writeValueAsString(wanted)))
            .build());
  }

  private JsonNode answered(HttpRequest request) throws IOException, InterruptedException {
    var answer = http.send(request, BodyHandlers.ofString());
    if (answer.statusCode() >= 300) {
      throw new IllegalStateException("the mock answered " + answer.body());
    }
    return MAPPER.readTree(answer.body());
  }
}
