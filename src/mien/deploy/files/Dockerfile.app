FROM python:@PYTHON@-slim
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir --only-binary=:all: @PIP@-r requirements.txt
COPY . .
RUN python -m compileall -q mien
USER nobody
ENV PORT=8000
EXPOSE 8000
HEALTHCHECK --start-period=10s CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/healthz\")"]
STOPSIGNAL SIGTERM
CMD ["gunicorn", "wsgi:application"]
