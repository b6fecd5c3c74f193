package calloff.consumer;

import java.io.IOException;
import java.net.Authenticator;
import java.net.CookieHandler;
import java.net.ProxySelector;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.concurrent.Flow;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;

/**
 * An HTTP client that reads no more than an answer can have, and no longer than a timeout.
 *
 * <p>The timeout of a request ends with the headers, and the generated clients read, and unpack,
 * whatever comes after them.
 */
final class BoundedHttpClient extends HttpClient {
  static final int MAX_BODY = 1 << 20;

  private final HttpClient client;
  private final Duration timeout;
  private final int maxBodyOf200;

  BoundedHttpClient(HttpClient client, Duration timeout, int maxBodyOf200) {
    this.client = client;
    this.timeout = timeout;
    this.maxBodyOf200 = maxBodyOf200;
  }

  // #region bounded
  private <T> HttpResponse.BodyHandler<T> bounded(HttpResponse.BodyHandler<T> handler) {
    long end = System.nanoTime() + timeout.toNanos();
    return answer -> {
      boolean packed = answer.headers().firstValue("Content-Encoding").isPresent();
      int room = answer.statusCode() == 200 ? maxBodyOf200 : MAX_BODY;
      return new Bounded<>(
          handler.apply(answer),
          packed ? 0 : room,
          end - System.nanoTime(),
          answer.statusCode() == 200);
    };
  }

  private static final class Bounded<T> implements HttpResponse.BodySubscriber<T> {
    private final HttpResponse.BodySubscriber<T> reader;
    private final CompletableFuture<Void> whole = new CompletableFuture<>();
    private final boolean needed;
    private long room;

    Bounded(HttpResponse.BodySubscriber<T> reader, long room, long nanoseconds, boolean needed) {
      this.reader = reader;
      this.room = room;
      this.needed = needed;
      whole.orTimeout(Math.max(nanoseconds, 0), TimeUnit.NANOSECONDS);
    }

    @Override
    public void onSubscribe(Flow.Subscription subscription) {
      reader.onSubscribe(subscription);
      var unused =
          whole.whenComplete(
              (ended, failure) -> {
                if (failure == null) {
                  reader.onComplete();
                } else if (!needed) {
                  // The status says enough; no half of an error can be read.
                  subscription.cancel();
                  reader.onComplete();
                } else {
                  subscription.cancel();
                  boolean late = failure instanceof TimeoutException;
                  reader.onError(
                      late ? new HttpTimeoutException("the answer is not whole") : failure);
                }
              });
    }

    @Override
    public void onNext(List<ByteBuffer> buffers) {
      room -= buffers.stream().mapToLong(ByteBuffer::remaining).sum();
      if (room < 0) {
        whole.completeExceptionally(new IOException("the answer is too large, or packed"));
      } else if (!whole.isDone()) {
        reader.onNext(buffers);
      }
    }

    @Override
    public void onError(Throwable failure) {
      whole.completeExceptionally(failure);
    }

    @Override
    public void onComplete() {
      whole.complete(null);
    }

    @Override
    public CompletionStage<T> getBody() {
      return reader.getBody();
    }
  }

  // #endregion

  @Override
  public <T> HttpResponse<T> send(HttpRequest request, HttpResponse.BodyHandler<T> handler)
      throws IOException, InterruptedException {
    return client.send(request, bounded(handler));
  }

  @Override
  public <T> CompletableFuture<HttpResponse<T>> sendAsync(
      HttpRequest request, HttpResponse.BodyHandler<T> handler) {
    return client.sendAsync(request, bounded(handler));
  }

  @Override
  public <T> CompletableFuture<HttpResponse<T>> sendAsync(
      HttpRequest request,
      HttpResponse.BodyHandler<T> handler,
      HttpResponse.PushPromiseHandler<T> push) {
    return client.sendAsync(request, bounded(handler), push);
  }

  @Override
  public Optional<CookieHandler> cookieHandler() {
    return client.cookieHandler();
  }

  @Override
  public Optional<Duration> connectTimeout() {
    return client.connectTimeout();
  }

  @Override
  public Redirect followRedirects() {
    return client.followRedirects();
  }

  @Override
  public Optional<ProxySelector> proxy() {
    return client.proxy();
  }

  @Override
  public SSLContext sslContext() {
    return client.sslContext();
  }

  @Override
  public SSLParameters sslParameters() {
    return client.sslParameters();
  }

  @Override
  public Optional<Authenticator> authenticator() {
    return client.authenticator();
  }

  @Override
  public Version version() {
    return client.version();
  }

  @Override
  public Optional<Executor> executor() {
    return client.executor();
  }
}
